import type { Entry } from './entry.ts';

/** The last entries of the log, for whoever asks what happened and for whoever follows. */
export class Recent {
  readonly #most: number;
  readonly #entries: Entry[] = [];
  readonly #followers = new Set<(entry: Entry) => void>();

  /** `most`: entries that are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length > this.#most) this.#entries.shift();
    for (const follower of this.#followers) follower(entry);
  }

  clear(): void {
    this.#entries.length = 0;
  }

  /** Oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Calls `follower` with each entry from now on, until the returned function is called. */
  follow(follower: (entry: Entry) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
