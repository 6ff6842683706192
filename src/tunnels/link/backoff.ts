import { isRejection, type TunnelError } from '../../base/errors.ts';

/** The first retry waits up to this, each further one up to twice as long as the one before, in milliseconds. */
const BASE_MS = 500;
const CAP_MS = 30_000;
/** No retry comes sooner than this, whatever the dice say. */
const FLOOR_MS = 50;
/** While somebody waits for the link, no retry is further away than this. */
const DEMAND_MS = 1_000;
/** A credential or a host key that was rejected is not tried again sooner: sshd's PerSourcePenalties add up. */
const REJECTED_MS = 60_000;
/** A session must last this long before its success counts (SPEC section 3, "reset only after 30 s"). */
export const STABLE_MS = 30_000;

/**
 * How long to wait before the next attempt, in milliseconds: full jitter over an exponentially growing ceiling, the
 * first retry included, so that many nodes that lost one server do not return as one. A rejection waits a minute or more.
 *
 * @param failures attempts that failed in a row, 0 after a loss
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(failures: number, error: TunnelError | undefined, random: number): number {
  if (error && isRejection(error)) return REJECTED_MS * (1 + random / 4);
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 16));
  return Math.max(FLOOR_MS, random * ceiling);
}

/**
 * The same with clients waiting: at most a second, half of it jitter, unless the wait is there to protect us.
 *
 * @param delayMs what {@link retryDelayMs} said for this retry
 */
export function demandedDelayMs(delayMs: number, error: TunnelError | undefined, random: number): number {
  if (error && isRejection(error)) return delayMs;
  return Math.min(delayMs, (DEMAND_MS * (1 + random)) / 2);
}
