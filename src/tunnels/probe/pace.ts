import { Lanes } from '../../base/async/lanes.ts';
import { settledWithin } from '../../base/async/settled-within.ts';

/** So many probes begin together. More would wait for each other in the server, and each would show the wait as latency. */
const TOGETHER = 8;

/** A probe without an answer for this long makes room for the next one, in milliseconds: a slow target delays no other. */
const SLOW_MS = 20;

/**
 * Spaces the probes of all tunnels. When a session comes up, the probe of each of its tunnels is due at once: a thousand
 * opens in one moment would outlast the timeout of the last ones.
 */
export class ProbePace {
  readonly #lanes = new Lanes(TOGETHER);

  /** Runs the task when its turn has come. Settles with the task. */
  turn<Result>(task: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      void this.#lanes.take(() => {
        const running = task();
        running.then(resolve, reject);
        return settledWithin(running, SLOW_MS);
      });
    });
  }
}
