import type { NewEntry } from './entry.ts';

/** An entry that waits for the disk. */
export interface Waiting {
  readonly entry: NewEntry;
  /** Flushed when written, so that a power cut loses nothing; and dropped last. */
  readonly durable: boolean;
}

/** Beyond this number the oldest routine entries are dropped and counted. */
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

  /** Takes all entries, and the number of dropped ones since the last call. */
  take(): { readonly waiting: readonly Item[]; readonly dropped: number } {
    const taken = { waiting: this.#waiting, dropped: this.#dropped };
    this.#waiting = [];
    this.#dropped = 0;
    return taken;
  }

  /** Returns entries that were taken and not written. */
  giveBack({ waiting, dropped }: { readonly waiting: readonly Item[]; readonly dropped: number }): void {
    this.#waiting = [...waiting, ...this.#waiting];
    this.#dropped += dropped;
  }
}
