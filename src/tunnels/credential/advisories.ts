import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { CredentialStatus, LinkStatus } from '../../telemetry/status/status.ts';

/** Warnings about the credentials in use. Pure. */
export function credentialAdvisories(links: readonly LinkStatus[]): Advisory[] {
  return [...withoutRenewal(links), ...staticKeys(links)];
}

/** Certificates that expire without renewal: one advisory for each actor. */
function withoutRenewal(links: readonly LinkStatus[]): Advisory[] {
  const ending = new Map(
    links.flatMap(({ actor, credential }) => {
      const trouble = troubleOf(credential);
      // A link knows no tunnel name, so the advisory names the command that needs none.
      if (trouble === undefined) return [];
      return [
        [actor, `certificate for ${actor} ${trouble} and renewal is failing; see \`fleet-mesh status\``] as const,
      ];
    }),
  );
  return [...ending].map(([actor, message]) => ({ code: 'certificate_without_renewal', message, subject: actor }));
}

function troubleOf({ type, valid_after, valid_before, renewal }: CredentialStatus): string | undefined {
  if (type !== 'certificate' || valid_before === null || renewal === null) return undefined;
  const { state, last_error } = renewal;
  if (state === 'expired') return `expired at ${valid_before.toISOString()}`;
  if (state === 'failing') return `expires at ${valid_before.toISOString()}`;
  // Without an error, the renewal is just running: the clock was set.
  return state === 'not_yet_valid' && last_error && valid_after
    ? `is not valid before ${valid_after.toISOString()}`
    : undefined;
}

/** Static keys that are used instead of certificates, and static keys that can be removed. */
function staticKeys(links: readonly LinkStatus[]): Advisory[] {
  const inUse = links.flatMap(({ host, actor, degraded }): Advisory[] =>
    degraded === null
      ? []
      : [
          {
            code: 'static_key_in_use',
            message: `${actor} logs in to ${host} with its ${degraded}`,
            subject: `${actor}@${host}`,
          },
        ],
  );
  const removable = new Map(
    links.flatMap(({ actor, credential: { static_key } }) =>
      static_key?.removable ? [[actor, `${actor}: ${static_key.verdict}`] as const] : [],
    ),
  );
  return [
    ...inUse,
    ...[...removable].map(([actor, message]): Advisory => ({ code: 'static_key_removable', message, subject: actor })),
  ];
}
