/** Checks that passed one after the other, none missing. Times in milliseconds. */
export interface Streak {
  /** Since the epoch, like `last`. */
  readonly since: number;
  readonly last: number;
  /** Of `last`, by a clock that never jumps. */
  readonly lastUptimeMs: number;
}

/** How far the wall clock may run from the one that never jumps, between two checks, before times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** The streak with one more check that has passed: the same one, or one that begins with it. Pure. */
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
