/** What renewal depends on; wall clock and monotonic times in milliseconds. */
export interface Lifetime {
  /** As the CA wrote it. */
  readonly validAfterMs: number;
  /** Infinity for a certificate without an end. */
  readonly validBeforeMs: number;
}

/** A moment on both clocks: the one that certificates are dated by, and the one that nobody can set. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** Many nodes that got their certificates together must not come back together. */
const JITTER = 0.1;
/** No certificate is renewed more often than this, however short it lives. */
const FLOOR_MS = 1_000;
/** Nor later than this, however long it lives: a CA that is broken should be noticed before the certificate ends. */
const CEILING_MS = 7 * 86_400_000;

const RETRY_BASE_MS = 1_000;
const RETRY_FLOOR_MS = 250;
const RETRY_CAP_MS = 300_000;
/** While there is nothing to log in with. */
const RETRY_CAP_DEAD_MS = 30_000;
/** What is left of a certificate has room for so many further tries at least. */
const TRIES_LEFT = 6;

/** How much of its life a certificate has left, in milliseconds: by our clock, but never more than the CA gave it. */
export function remainingMs({ validAfterMs, validBeforeMs }: Lifetime, wallMs: number): number {
  return Math.max(0, Math.min(validBeforeMs - wallMs, validBeforeMs - validAfterMs));
}

/**
 * After how long a certificate that was received just now is renewed, in milliseconds: at `renewAfter` of what is left
 * of it, ±10 %. Counted from its receipt and not from the date on it, so that a clock that is off, or a CA that dates
 * back, makes it early rather than never or at once.
 *
 * @param wallMs of its receipt
 * @param random uniform in [0, 1)
 */
export function renewalDelayMs(lifetime: Lifetime, wallMs: number, renewAfter: number, random: number): number {
  const factor = 1 - JITTER + 2 * JITTER * random;
  // With renew_after close to 1 the jitter alone would take it beyond the end.
  const fraction = Math.min(renewAfter * factor, (1 + renewAfter) / 2);
  return Math.min(CEILING_MS, Math.max(FLOOR_MS, remainingMs(lifetime, wallMs) * fraction));
}

/** Whether `delayMs` after `since` is over by either clock: one that was set, or a machine that slept, makes it early. */
export function isDue(since: Moment, delayMs: number, now: Moment): boolean {
  return now.monotonicMs - since.monotonicMs >= delayMs || now.wallMs - since.wallMs >= delayMs;
}

/**
 * How long to wait after a renewal that failed, in milliseconds: full jitter under a ceiling that grows with each
 * failure, and shrinks with what is left of the certificate that still works.
 *
 * @param failures that came in a row, 1 after the first
 * @param leftMs what is left of the certificate in use; 0 when there is none
 * @param random uniform in [0, 1)
 */
export function renewalRetryMs(failures: number, leftMs: number, random: number): number {
  const cap = leftMs > 0 ? Math.min(RETRY_CAP_MS, leftMs / TRIES_LEFT) : RETRY_CAP_DEAD_MS;
  const ceiling = Math.min(cap, RETRY_BASE_MS * 2 ** Math.min(failures - 1, 16));
  return Math.max(RETRY_FLOOR_MS, random * ceiling);
}

/**
 * Whether a certificate would end while somebody logs in with it: better to have another first. Of a short-lived one the
 * last quarter counts as such at most, and by what was left at its receipt: a CA dates back, and a fresh certificate that
 * is never good enough would be replaced for ever.
 *
 * @param lifeMs that it had left when it was received
 * @param attemptMs how long the login may take
 */
export function endsWithin(lifetime: Lifetime, lifeMs: number, wallMs: number, attemptMs: number): boolean {
  return lifetime.validBeforeMs - wallMs < Math.min(attemptMs, lifeMs / 4);
}
