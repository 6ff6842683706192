import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';

/** Warnings about the credentials in use. Pure. */
export function credentialAdvisories(links: readonly LinkStatus[]): Advisory[] {
  return [...withoutRenewal(links), ...staticKeys(links)];
}

/** Certificates that expire without renewal: one advisory for each actor, with stable wording. */
function withoutRenewal(links: readonly LinkStatus[]): Advisory[] {
  const ending = new Map(
    links.flatMap(({ actor, credential: { type, valid_before, renewal } }) => {
      if (type !== 'certificate' || valid_before === null) return [];
      if (renewal?.state !== 'failing' && renewal?.state !== 'expired') return [];
      const at = valid_before.toISOString();
      const end = renewal.state === 'expired' ? 'expired' : 'expires';
      // A link knows no tunnel name, so the advisory names the command that needs none.
      return [
        [actor, `certificate for ${actor} ${end} at ${at} and renewal is failing; see \`fleet-mesh status\``] as const,
      ];
    }),
  );
  return [...ending.values()].map((message) => ({ code: 'certificate_without_renewal', message }));
}

/** Static keys that are used instead of certificates, and static keys that can be removed. */
function staticKeys(links: readonly LinkStatus[]): Advisory[] {
  const inUse = links.flatMap(({ host, actor, degraded }): Advisory[] =>
    degraded === null
      ? []
      : [{ code: 'static_key_in_use', message: `${actor} logs in to ${host} with its ${degraded}` }],
  );
  const removable = new Map(
    links.flatMap(({ actor, credential: { static_key } }) =>
      static_key?.removable ? [[actor, `${actor}: ${static_key.verdict}`] as const] : [],
    ),
  );
  return [...inUse, ...[...removable.values()].map((message): Advisory => ({ code: 'static_key_removable', message }))];
}
