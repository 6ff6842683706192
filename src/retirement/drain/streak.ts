/** A run of passed checks without a missing one. Times in milliseconds. */
export interface Streak {
  /** Since the epoch, like `last`. */
  readonly since: number;
  readonly last: number;
  /** The same moment as `last`, on the monotonic clock. */
  readonly lastUptimeMs: number;
}

/** Between two checks, the wall clock may differ from the monotonic clock by this much; beyond it, times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** The streak after one more passed check: extended, or a new one. Pure. */
export function extended(
  streak: Streak | undefined,
  { at, uptimeMs }: { readonly at: number; readonly uptimeMs: number },
  withinMs: number,
): Streak {
  const begun = { since: at, last: at, lastUptimeMs: uptimeMs };
  if (!streak) return begun;
  const really = uptimeMs - streak.lastUptimeMs;
  const jumped = Math.abs(at - streak.last - really) > CLOCK_TOLERANCE_MS;
  return jumped || really > withinMs ? begun : { ...begun, since: streak.since };
}
