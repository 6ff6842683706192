import type { ActorConfig } from '../config/config.ts';

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
