import type { ActorConfig } from '../../config/config.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Roster } from './roster.ts';

/** What a session's end depends on. */
export interface Tenure {
  /** When its certificate ends; undefined where nothing does. */
  readonly validBefore: Date | undefined;
  /** Since when it has been left to its open connections, as of performance.now(); undefined while it serves. */
  readonly leftSince: number | undefined;
}

/**
 * What becomes of a session now: it goes on, takes no more connections (`drain`) or ends with those that it has (`cut`).
 * sshd asks for the certificate at the login only, so that what follows is ours to say. Pure.
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

/** Carries the verdicts on a link's sessions out; whether any of them has taken one out of service. */
export function endOverdue(roster: Roster, actor: ActorConfig, now: Date, log: Pick<Logger, 'info'>): boolean {
  const monotonicMs = performance.now();
  let ended = false;
  for (const held of roster.all) {
    const { id, session, facts } = held;
    const tenure = { validBefore: facts.validBefore, leftSince: roster.leftSince(held) };
    const verdict = verdictOn(tenure, actor, now, monotonicMs);
    if (verdict === 'keep' || !session.usable || (verdict === 'drain' && roster.isRetired(held))) continue;
    const what =
      verdict === 'cut' ? 'is cut: its time is up' : 'takes no more connections: its certificate has expired';
    const fields = { event: 'session.overdue', session: id, verdict, connections: session.channels };
    log.info(fields, `the SSH session ${what}`);
    roster.retire(held, monotonicMs);
    if (verdict === 'cut') void session.end();
    ended = true;
  }
  return ended;
}
