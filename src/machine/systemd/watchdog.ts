/** Signs that the daemon makes progress. Times are durations of the monotonic clock, in milliseconds. */
export interface Vitals {
  /** Time since the supervisor last finished a round. */
  readonly heartbeatAgeMs: number;
  /** One sentence for each overdue part of the data path. */
  readonly stuck: readonly string[];
}

/** Whether the daemon may send the watchdog message. */
export type WatchdogVerdict = { readonly pet: true } | { readonly pet: false; readonly reason: string };

/** A supervisor later than this hangs; below, the machine may be busy. */
const LATE_MS = 10_000;

/**
 * Checks the supervisor and the data path; the call itself proves that the event loop runs. Pure.
 *
 * @param limitMs WatchdogSec: a hung supervisor must be noticed within half of it
 */
export function watchdogVerdict({ heartbeatAgeMs, stuck }: Vitals, limitMs: number): WatchdogVerdict {
  if (heartbeatAgeMs > Math.min(LATE_MS, Math.max(limitMs / 2, 2_000))) {
    return { pet: false, reason: `the supervisor has made no progress for ${Math.round(heartbeatAgeMs / 1_000)} s` };
  }
  const [first] = stuck;
  return first === undefined ? { pet: true } : { pet: false, reason: first };
}

/** The environment that systemd gives a unit with WatchdogSec= (sd_watchdog_enabled(3)). */
interface WatchdogEnvironment {
  readonly WATCHDOG_USEC?: string | undefined;
  readonly WATCHDOG_PID?: string | undefined;
}

/** The milliseconds without a message after which systemd kills this process; undefined: no watchdog. Pure. */
export function watchdogLimitMs({ WATCHDOG_USEC, WATCHDOG_PID }: WatchdogEnvironment, pid: number): number | undefined {
  if (WATCHDOG_USEC === undefined || !/^[1-9]\d*$/.test(WATCHDOG_USEC)) return undefined;
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined;
  return Number(WATCHDOG_USEC) / 1_000;
}
