import type { NewEntry } from './entry.ts';

/** An entry that waits for the disk. */
export interface Waiting {
  readonly entry: NewEntry;
  /** Not to be lost in a power cut, once it is written; and not the first to be dropped. */
  readonly durable: boolean;
}

/** More than this, and the oldest routine ones are dropped and counted. */
const MOST_WAITING = 10_000;

/** Entries that wait for the disk, oldest first. */
export class Backlog<Item extends Waiting = Waiting> {
  #waiting: Item[] = [];
  #dropped = 0;

  get size(): number {
    return this.#waiting.length;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#waiting.length <= MOST_WAITING) return;
    const routine = this.#waiting.findIndex(({ durable }) => !durable);
    this.#waiting.splice(Math.max(routine, 0), 1);
    this.#dropped++;
  }

  /** All, and how many were dropped since the last time. */
  take(): { readonly waiting: readonly Item[]; readonly dropped: number } {
    const taken = { waiting: this.#waiting, dropped: this.#dropped };
    this.#waiting = [];
    this.#dropped = 0;
    return taken;
  }

  /** What was taken, and was not written. */
  giveBack({ waiting, dropped }: { readonly waiting: readonly Item[]; readonly dropped: number }): void {
    this.#waiting = [...waiting, ...this.#waiting];
    this.#dropped += dropped;
  }
}
