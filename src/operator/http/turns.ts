import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';

/** A turn that took longer is followed by a pause of the same length, in milliseconds. */
const SHORT_MS = 2;
/** The longest pause between two turns, in milliseconds. */
const LONGEST_PAUSE_MS = 20;

/**
 * Lets requests take turns, in the order of their arrival. Hundreds of requests that arrive at the same time would keep the
 * event loop from the tunnels for seconds; so each turn is a turn of the loop as well, and long ones leave pauses.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #isBusy = false;

  /** Settles when it is the turn of the caller: at once if nobody else waits. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isBusy) void this.#serve();
    });
  }

  async #serve(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const from = performance.now();
      next();
      await turn();
      const took = performance.now() - from;
      if (this.#waiting.length > 0 && took > SHORT_MS) await pause(Math.min(took, LONGEST_PAUSE_MS));
    }
    this.#isBusy = false;
  }
}
