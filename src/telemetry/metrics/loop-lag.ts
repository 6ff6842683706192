import { clearInterval, setInterval } from 'node:timers';

/** Between two looks at a loop that works, in milliseconds: a delay shorter than this may be missed. */
const WORKING_MS = 25;
/**
 * Between two looks at a loop that rests, in milliseconds: the first delay after a rest may be missed, or shown shorter by so
 * much. Each look wakes the process: at 25 ms, the looks cost more than all else that an idle daemon does.
 */
const RESTING_MS = 250;
/** A loop rests when its work takes less than this part of the time. */
const RESTS = 0.1;
/** So long a loop must rest before the looks become rare, in milliseconds. */
const CALM_MS = 1_000;

// Not the global timers and functions, which a test may replace: the loop and its work stay real.
const { eventLoopUtilization } = performance;

interface Reading {
  readonly at: number;
  readonly ms: number;
}

/**
 * How late the event loop is: everything that a connection needs waits as long. The longest delay since the last reading,
 * or of the last minute, if that is longer. So two readers do not take a peak from each other.
 */
export class LoopLag {
  readonly #keepMs: number;
  #readings: readonly Reading[] = [];
  #longestMs = 0;
  #everyMs = WORKING_MS;
  #timer: NodeJS.Timeout;
  #lookedAt = performance.now();
  /** How long the loop had worked at the last look, in milliseconds. */
  #worked = eventLoopUtilization().active;
  #restsSince: number | undefined;

  /** @param keepMs how long a peak is shown, in milliseconds */
  constructor(keepMs = 60_000) {
    this.#keepMs = keepMs;
    this.#timer = this.#begin();
  }

  /** In seconds. */
  read(): number {
    const now = performance.now();
    const ms = this.#longestMs;
    this.#longestMs = 0;
    this.#readings = [...this.#readings.filter(({ at }) => at >= now - this.#keepMs), { at: now, ms }];
    return Math.max(...this.#readings.map((reading) => reading.ms)) / 1_000;
  }

  #begin(): NodeJS.Timeout {
    return setInterval(() => this.#look(), this.#everyMs).unref();
  }

  #look(): void {
    const now = performance.now();
    const { active } = eventLoopUtilization();
    const [elapsedMs, workMs] = [now - this.#lookedAt, active - this.#worked];
    this.#lookedAt = now;
    this.#worked = active;
    const lateMs = elapsedMs - this.#everyMs;
    this.#longestMs = Math.max(this.#longestMs, lateMs);
    if (workMs >= RESTS * elapsedMs) {
      this.#restsSince = undefined;
      this.#lookEvery(WORKING_MS);
    } else {
      this.#restsSince ??= now;
      if (now - this.#restsSince >= CALM_MS) this.#lookEvery(RESTING_MS);
    }
  }

  #lookEvery(ms: number): void {
    if (ms === this.#everyMs) return;
    this.#everyMs = ms;
    clearInterval(this.#timer);
    this.#timer = this.#begin();
  }
}
