import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { LinkStatus } from '../../telemetry/status/status.ts';

/** What an operator should know of the credentials in use (SPEC section 3, "Credentials"). Pure. */
export function credentialAdvisories(links: readonly LinkStatus[]): Advisory[] {
  return [...withoutRenewal(links), ...staticKeys(links)];
}

/** It works, and will not for long: once for each actor, in the same words until that changes. */
function withoutRenewal(links: readonly LinkStatus[]): Advisory[] {
  const ending = new Map(
    links.flatMap(({ actor, credential: { type, valid_before, renewal } }) => {
      if (type !== 'certificate' || valid_before === null) return [];
      if (renewal?.state !== 'failing' && renewal?.state !== 'expired') return [];
      const at = valid_before.toISOString();
      const end = renewal.state === 'expired' ? `expired at ${at}` : `ends at ${at}`;
      return [
        [
          actor,
          `the certificate of ${actor} ${end}, and renewing it fails: fleet-mesh why says what comes of it`,
        ] as const,
      ];
    }),
  );
  return [...ending.values()].map((message) => ({ code: 'certificate_without_renewal', message }));
}

/** Static keys that stand in for certificates. */
function staticKeys(links: readonly LinkStatus[]): Advisory[] {
  const inUse = links.flatMap(({ host, actor, degraded }): Advisory[] =>
    degraded === null ? [] : [{ code: 'static_key_in_use', message: `${actor} goes to ${host} by its ${degraded}` }],
  );
  const removable = new Map(
    links.flatMap(({ actor, credential: { static_key } }) =>
      static_key?.removable ? [[actor, `${actor}: ${static_key.verdict}`] as const] : [],
    ),
  );
  return [...inUse, ...[...removable.values()].map((message): Advisory => ({ code: 'static_key_removable', message }))];
}
