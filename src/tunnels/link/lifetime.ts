import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Roster } from './roster.ts';

/** The facts that decide when a session ends. */
export interface Tenure {
  /** When its certificate expires; undefined if nothing expires. */
  readonly validBefore: Date | undefined;
  /** Since when the session takes no new connections, as of performance.now(); undefined while it serves. */
  readonly leftSince: number | undefined;
}

/**
 * The verdict on a session: it stays (`keep`), takes no new connections (`drain`), or ends with all its connections
 * (`cut`). sshd checks a certificate only at login, so the daemon decides what happens after that. Pure.
 *
 * @param now wall clock
 * @param monotonicMs as of performance.now()
 */
export function verdictOn(
  { validBefore, leftSince }: Tenure,
  { onExpiry, drainTimeoutMs }: Pick<ActorConfig, 'onExpiry' | 'drainTimeoutMs'>,
  now: Date,
  monotonicMs: number,
): 'keep' | 'drain' | 'cut' {
  if (leftSince !== undefined && drainTimeoutMs !== undefined && monotonicMs - leftSince >= drainTimeoutMs)
    return 'cut';
  return validBefore !== undefined && now >= validBefore ? onExpiry : 'keep';
}

/** Carries out the verdicts on a link's sessions. Returns why a session left its service, if one did. */
export function endOverdue(
  roster: Roster,
  actor: ActorConfig,
  now: Date,
  log: Pick<Logger, 'info'>,
): TunnelError | undefined {
  const monotonicMs = performance.now();
  let reason: TunnelError | undefined;
  for (const held of roster.all) {
    const { id, session, facts } = held;
    const tenure = { validBefore: facts.validBefore, leftSince: roster.leftSince(held) };
    const verdict = verdictOn(tenure, actor, now, monotonicMs);
    if (verdict === 'keep' || !session.usable || (verdict === 'drain' && roster.isRetired(held))) continue;
    reason = overdue(tenure, verdict, now);
    const what = verdict === 'cut' ? 'is cut' : 'takes no new connections';
    const fields = { event: 'session.overdue', session: id, verdict, connections: session.channels };
    log.info(fields, `the SSH session ${what}: ${reason.message}`);
    roster.retire(held, monotonicMs);
    if (verdict === 'cut') void session.end();
  }
  return reason;
}

function overdue({ validBefore }: Tenure, verdict: 'drain' | 'cut', now: Date): TunnelError {
  if (validBefore === undefined || now < validBefore)
    return new TunnelError('connection_reset', 'drain_timeout of the replaced SSH session is over');
  return new TunnelError('cert_expired', `the certificate of the SSH session expired, and on_expiry is ${verdict}`);
}
