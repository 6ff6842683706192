/** The validity of a certificate by the wall clock, in milliseconds since the epoch. */
export interface Lifetime {
  /** As written by the CA. */
  readonly validAfterMs: number;
  /** Infinity for a certificate that never expires. */
  readonly validBeforeMs: number;
}

/** A moment by both clocks, in milliseconds. Certificates use the wall clock; the monotonic clock cannot be set. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Spreads the renewals of nodes that got their certificates at the same time. */
const JITTER = 0.1;
/** Shortest time before a renewal, also for a short-lived certificate. */
const FLOOR_MS = 1_000;
/** Longest time before a renewal, so that a broken CA shows before a long-lived certificate expires. */
const CEILING_MS = 7 * 86_400_000;

/** The two clocks may differ by this much without one of them being set. */
const DRIFT_MS = 2_000;

const RETRY_BASE_MS = 1_000;
const RETRY_FLOOR_MS = 250;
const RETRY_CAP_MS = 300_000;
/** Cap while no certificate is valid. */
const RETRY_CAP_DEAD_MS = 30_000;
/** The remaining life of a certificate has room for at least this many tries. */
const TRIES_LEFT = 6;

/** Remaining life of a certificate in milliseconds, by our clock, but never more than its whole validity. */
export function remainingMs({ validAfterMs, validBeforeMs }: Lifetime, wallMs: number): number {
  return Math.max(0, Math.min(validBeforeMs - wallMs, validBeforeMs - validAfterMs));
}

/**
 * The delay before a certificate received now is renewed, in milliseconds: `renewAfter` of its remaining life, ±10 %.
 * The delay counts from receipt, not from the date in the certificate. A wrong clock or a CA that backdates then makes
 * the renewal early, but not immediate, and never skips it.
 *
 * @param wallMs time of receipt
 * @param random uniform in [0, 1)
 */
export function renewalDelayMs(lifetime: Lifetime, wallMs: number, renewAfter: number, random: number): number {
  const factor = 1 - JITTER + 2 * JITTER * random;
  // With renew_after close to 1, the jitter alone could pass the expiry.
  const fraction = Math.min(renewAfter * factor, (1 + renewAfter) / 2);
  return Math.min(CEILING_MS, Math.max(FLOOR_MS, remainingMs(lifetime, wallMs) * fraction));
}

/** Whether `delayMs` after `since` is over by either clock. A set clock or a suspended machine makes it early. */
export function isDue(since: Moment, delayMs: number, now: Moment): boolean {
  return leftMs(since, delayMs, now) <= 0;
}

/** How long until `delayMs` after `since` is over by either clock, in milliseconds; 0 or less when it is over. */
export function leftMs(since: Moment, delayMs: number, now: Moment): number {
  return delayMs - Math.max(now.monotonicMs - since.monotonicMs, now.wallMs - since.wallMs);
}

/** By how much the wall clock was set forward between two moments, in milliseconds; a suspended machine counts too. */
function setForwardMs(since: Moment, now: Moment): number {
  return now.wallMs - since.wallMs - (now.monotonicMs - since.monotonicMs);
}

/** Whether the wall clock was set between two moments. */
export function wasSet(since: Moment, now: Moment): boolean {
  return Math.abs(setForwardMs(since, now)) > DRIFT_MS;
}

/** When `delayMs` after `since` is over, by the wall clock of now: the clock may have been set since. */
export function dueAt(since: Moment, delayMs: number, now: Moment): Date {
  // Both clocks drift a little, and a date must not differ from one look to the next.
  return new Date(wasSet(since, now) ? now.wallMs + leftMs(since, delayMs, now) : since.wallMs + delayMs);
}

/**
 * The wait after a failed renewal, in milliseconds: full jitter under a ceiling. The ceiling grows with each failure
 * and shrinks with the remaining life of the current certificate.
 *
 * @param failures consecutive failures, 1 after the first
 * @param leftMs remaining life of the certificate in use; 0 when there is none
 * @param random uniform in [0, 1)
 */
export function renewalRetryMs(failures: number, leftMs: number, random: number): number {
  const cap = leftMs > 0 ? Math.min(RETRY_CAP_MS, leftMs / TRIES_LEFT) : RETRY_CAP_DEAD_MS;
  const ceiling = Math.min(cap, RETRY_BASE_MS * 2 ** Math.min(failures - 1, 16));
  return Math.max(RETRY_FLOOR_MS, random * ceiling);
}

/**
 * Whether a certificate could expire during a login, so that a new one should come first. For a short-lived certificate
 * only the last quarter counts, by its remaining life at receipt: otherwise a backdated certificate would be replaced
 * again and again.
 *
 * @param lifeMs remaining life at receipt
 * @param attemptMs how long the login may take
 */
export function endsWithin(lifetime: Lifetime, lifeMs: number, wallMs: number, attemptMs: number): boolean {
  return lifetime.validBeforeMs - wallMs < Math.min(attemptMs, lifeMs / 4);
}
