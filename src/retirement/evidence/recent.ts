import type { Entry } from './entry.ts';

/** The last entries of the log, for whoever asks what happened and for whoever follows. Heartbeats are not among them. */
export class Recent {
  readonly #most: number;
  #entries: Entry[] = [];
  /** The last one that is not here any more. */
  #forgotten: Pick<Entry, 'seq' | 'at'> | undefined;
  #begun = false;
  readonly #followers = new Set<(entry: Entry) => void>();

  /** `most`: entries that are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** With what was found in the files. Until then nothing is known; followers hear only of what comes afterwards. */
  begin(found: Recent): void {
    this.#entries = [...found.#entries];
    this.#forgotten = found.#forgotten;
    this.#begun = true;
  }

  add(entry: Entry): void {
    // What was before the first one that was read is in older files, if anywhere.
    if (this.#entries.length === 0 && !this.#forgotten && entry.seq > 1)
      this.#forgotten = { seq: entry.seq - 1, at: entry.at };
    if (entry.event === 'heartbeat') return;
    this.#entries.push(entry);
    if (this.#entries.length > this.#most) this.#forgotten = this.#entries.shift();
    for (const follower of this.#followers) follower(entry);
  }

  /** Oldest first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Whether all that came after entry number `seq` is here. */
  reachesEntry(seq: number): boolean {
    return this.#begun && (this.#forgotten?.seq ?? 0) <= seq;
  }

  /** Whether all that happened since `time` is here; without a time, all that ever happened. */
  reachesTime(time: Date | undefined): boolean {
    if (!this.#begun || !this.#forgotten) return this.#begun;
    return time !== undefined && this.#forgotten.at < time.toISOString();
  }

  /** Calls `follower` with each entry from now on, until the returned function is called. */
  follow(follower: (entry: Entry) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
