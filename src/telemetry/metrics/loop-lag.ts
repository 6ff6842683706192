import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Node looks this often, in milliseconds: a delay shorter than this may be missed. Each look wakes the process: at 10 ms,
 * the looks cost more than all else that an idle daemon does.
 */
export const LOOK_EVERY_MS = 25;
const NANOSECONDS = 1e9;

interface Reading {
  readonly at: number;
  readonly seconds: number;
}

/**
 * How late the event loop is: everything that a connection needs waits as long. The longest delay since the last reading,
 * or of the last minute, if that is longer. So two readers do not take a peak from each other.
 */
export class LoopLag {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS });
  readonly #keepMs: number;
  #readings: readonly Reading[] = [];

  /** @param keepMs how long a peak is shown, in milliseconds */
  constructor(keepMs = 60_000) {
    this.#keepMs = keepMs;
    this.#histogram.enable();
  }

  /** In seconds. */
  read(): number {
    const now = performance.now();
    // The histogram has the whole time between two looks.
    const seconds = Math.max(0, this.#histogram.max / NANOSECONDS - LOOK_EVERY_MS / 1_000);
    this.#histogram.reset();
    this.#readings = [...this.#readings.filter(({ at }) => at >= now - this.#keepMs), { at: now, seconds }];
    return Math.max(...this.#readings.map((reading) => reading.seconds));
  }
}
