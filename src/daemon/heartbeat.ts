import { type Repeating, repeat } from '../base/async/repeat.ts';

/** Interval of the heartbeat, in milliseconds. */
const INTERVAL_MS = 1_000;
/** `/livez` fails if the last beat is older, in milliseconds. */
const ALIVE_MS = 10_000;

/** The regular work of the daemon. The time of the last beat tells whether the daemon hangs. */
export class Heartbeat {
  #at = performance.now();
  #repeating: Repeating | undefined;

  /** Does `work` every second, first after a second, until `signal` aborts. A beat that takes longer delays the next one. */
  start(work: (now: Date) => Promise<void>, signal: AbortSignal): void {
    this.#repeating = repeat(
      () => {
        this.#at = performance.now();
        return work(new Date());
      },
      () => INTERVAL_MS,
      signal,
    );
  }

  /** Since the last beat, in milliseconds; since the creation before the first one. */
  get ageMs(): number {
    return performance.now() - this.#at;
  }

  get alive(): boolean {
    return this.ageMs < ALIVE_MS;
  }

  /** Settles after the last beat; at once before the first one. */
  async ended(): Promise<void> {
    await this.#repeating?.done;
  }
}
