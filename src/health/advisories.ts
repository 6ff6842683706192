import type { LinkStatus, Status } from './status.ts';

/** What an operator should know of credentials while everything still works (SPEC section 3, "Credentials"). Pure. */
export function credentialAdvisories(links: readonly LinkStatus[]): Status['advisories'] {
  const inUse = links.flatMap(({ host, actor, degraded }) =>
    degraded === null ? [] : [{ code: 'static_key_in_use', message: `${actor} goes to ${host} by its ${degraded}` }],
  );
  // An actor's credential is told once, however many links share it.
  const credentials = new Map(links.map(({ actor, credential }) => [actor, credential]));
  return [...inUse, ...[...credentials].flatMap(([actor, credential]) => adviceOn(actor, credential))];
}

function adviceOn(actor: string, { serial, valid_before, renewal, static_key }: LinkStatus['credential']) {
  const advice: Status['advisories'] = [];
  const trouble = renewal?.last_error;
  // Without a certificate there is no session either, and each tunnel says why.
  if (trouble && serial !== null) {
    const why = `${trouble.message}. ${trouble.hint}`;
    const expired = renewal.state === 'expired';
    if (expired || renewal.state === 'failing') {
      const end = expired ? `expired at ${valid_before}` : `is good until ${valid_before ?? 'the end of time'}`;
      advice.push({
        code: 'certificate_not_renewed',
        message: `${actor}: the certificate ${end}, and there is no new one: ${why}`,
      });
    } else {
      advice.push({ code: 'certificate_not_kept', message: `${actor}: a restart will need a new certificate: ${why}` });
    }
  }
  if (static_key?.removable) advice.push({ code: 'static_key_removable', message: `${actor}: ${static_key.verdict}` });
  return advice;
}
