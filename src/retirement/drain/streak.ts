import type { BootMoment } from '../evidence/successor-record.ts';

/** A run of passed checks without a missing one. */
export interface Streak {
  readonly since: BootMoment;
  readonly last: BootMoment;
}

/** Between two checks, the wall clock may differ from the clock of the boot by this much; beyond it, times prove nothing. */
const CLOCK_TOLERANCE_MS = 5_000;

/** The streak after one more passed check: extended, or a new one. Pure. */
export function extended(streak: Streak | undefined, now: BootMoment, withinMs: number): Streak {
  const begun = { since: now, last: now };
  if (!streak) return begun;
  const really = now.sinceBootMs - streak.last.sinceBootMs;
  const jumped = Math.abs(now.wall - streak.last.wall - really) > CLOCK_TOLERANCE_MS;
  return jumped || really > withinMs ? begun : { since: streak.since, last: now };
}
