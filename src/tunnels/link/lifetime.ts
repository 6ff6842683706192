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

/** Carries out the verdicts on a link's sessions. Returns whether a verdict took a session out of service. */
export function endOverdue(roster: Roster, actor: ActorConfig, now: Date, log: Pick<Logger, 'info'>): boolean {
  const monotonicMs = performance.now();
  let ended = false;
  for (const held of roster.all) {
    const { id, session, facts } = held;
    const tenure = { validBefore: facts.validBefore, leftSince: roster.leftSince(held) };
    const verdict = verdictOn(tenure, actor, now, monotonicMs);
    if (verdict === 'keep' || !session.usable || (verdict === 'drain' && roster.isRetired(held))) continue;
    const what =
      verdict === 'cut'
        ? 'is cut: its certificate expired or drain_timeout is over'
        : 'takes no new connections: its certificate expired';
    const fields = { event: 'session.overdue', session: id, verdict, connections: session.channels };
    log.info(fields, `the SSH session ${what}`);
    roster.retire(held, monotonicMs);
    if (verdict === 'cut') void session.end();
    ended = true;
  }
  return ended;
}
