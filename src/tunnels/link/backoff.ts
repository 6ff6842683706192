import { isRejection, type TunnelError } from '../../base/errors.ts';

/** The first retry waits up to this, each further one up to twice as long as the one before, in milliseconds. */
const BASE_MS = 500;
const CAP_MS = 30_000;
/** No retry comes sooner than this, whatever `random` is. */
const FLOOR_MS = 50;
/** While a client waits for the link, the next retry comes within this time. */
const DEMAND_MS = 1_000;
/** A rejected credential or host key is not tried again sooner: sshd's PerSourcePenalties add up. */
const REJECTED_MS = 60_000;
/** A session must last this long before its success counts. */
export const STABLE_MS = 30_000;

/**
 * How long to wait before the next attempt, in milliseconds: full jitter below a ceiling that doubles. The first retry is
 * jittered too, so that many nodes do not return to one server together. After a rejection the wait is at least a minute.
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
 * The delay while clients wait: at most a second, half of it jitter. The wait after a rejection is not shortened.
 *
 * @param delayMs the result of {@link retryDelayMs} for this retry
 */
export function demandedDelayMs(delayMs: number, error: TunnelError | undefined, random: number): number {
  if (error && isRejection(error)) return delayMs;
  return Math.min(delayMs, (DEMAND_MS * (1 + random)) / 2);
}
