import { setTimeout as pause } from 'node:timers/promises';

/** More requests than this for one result are a crowd. */
const CROWD = 4;
/** The longest pause after a result for a crowd, in milliseconds. */
const LONGEST_PAUSE_MS = 50;

/**
 * One costly result for all requests that wait for one. Each result is begun after the requests that get it: no answer shows
 * a time before its request. After a result for a crowd, the event loop belongs to the tunnels for as long as the result took.
 */
export class Shared<Result> {
  readonly #make: () => Promise<Result>;
  /** Begins when the current result is over. */
  #next: Promise<Result> | undefined;
  #asked = 0;
  /** Settles, without an error, when the current result and the pause after it are over. */
  #current: Promise<void> | undefined;

  constructor(make: () => Promise<Result>) {
    this.#make = make;
  }

  /** Settles with a result that is begun after this call. */
  get(): Promise<Result> {
    this.#asked += 1;
    this.#next ??= this.#begin();
    return this.#next;
  }

  async #begin(): Promise<Result> {
    await this.#current;
    const isCrowd = this.#asked > CROWD;
    this.#asked = 0;
    this.#next = undefined;
    const from = performance.now();
    const made = this.#make();
    const isOver = made.then(
      () => {},
      () => {},
    );
    this.#current = isOver.then(async () => {
      const took = performance.now() - from;
      if (isCrowd) await pause(Math.min(took, LONGEST_PAUSE_MS));
    });
    return made;
  }
}
