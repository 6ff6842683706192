import type { Entry } from './entry.ts';

/** The last entries of the log, for queries and followers. Without heartbeats. */
export class Recent {
  readonly #most: number;
  #entries: Entry[] = [];
  /** The newest entry that was dropped from memory. */
  #forgotten: Pick<Entry, 'seq' | 'at'> | undefined;
  #begun = false;
  readonly #followers = new Set<(entry: Entry) => void>();

  /** `most`: number of entries to keep. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Starts with the entries found in the files. Followers get only later entries. */
  begin(found: Recent): void {
    this.#entries = [...found.#entries];
    this.#forgotten = found.#forgotten;
    this.#begun = true;
  }

  add(entry: Entry): void {
    // Entries before the first one read are in older files, if anywhere.
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

  /** Whether all entries after number `seq` are here. */
  reachesEntry(seq: number): boolean {
    return this.#begun && (this.#forgotten?.seq ?? 0) <= seq;
  }

  /** Whether all entries since `time` are here; without a time, all entries ever. */
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
