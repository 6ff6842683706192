import type { After } from '../../base/async/repeat.ts';
import { Rounds } from '../../base/async/rounds.ts';

/** So many probes begin together. More would wait for each other in the server, and each would show the wait as latency. */
const TOGETHER = 8;

/** A probe without an answer for this long makes room for the next one, in milliseconds: a slow target delays no other. */
const SLOW_MS = 20;

/**
 * Time between two rounds of probes, in milliseconds: each probe of its own wakes the process four times, which costs more
 * than the probe. A shorter pause than {@link LEAST_PAUSE_MS} has its own timer.
 */
const ROUND_MS = 1_000;
const LEAST_PAUSE_MS = 5_000;

/**
 * Spaces the probes of all tunnels. When a session comes up, the probe of each of its tunnels is due at once: a thousand
 * opens in one moment would outlast the timeout of the last ones.
 */
export class ProbePace {
  #free = TOGETHER;
  readonly #waiting: (() => void)[] = [];
  readonly #rounds = new Rounds(ROUND_MS, LEAST_PAUSE_MS);

  /** Ends a pause with the pauses of other probes: up to half a second earlier or later. */
  readonly after: After = (ms, callBack) => this.#rounds.after(ms, callBack);

  /** Runs the task when its turn has come. Settles with the task. */
  async turn<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let counts = true;
    const makeRoom = () => {
      if (counts) this.#makeRoom();
      counts = false;
    };
    const slow = setTimeout(makeRoom, SLOW_MS);
    try {
      return await task();
    } finally {
      clearTimeout(slow);
      makeRoom();
    }
  }

  #makeRoom(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
