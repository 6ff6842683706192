/** What happens at which moment: entries of one millisecond in the order of their calls. Times in milliseconds. */
export class Agenda {
  readonly #entries = new Map<number, number[]>();
  #now = 0;

  /** The simulated time. */
  get now(): number {
    return this.#now;
  }

  /** An entry of the past counts as one of now. */
  add(at: number, entry: number): void {
    const due = Math.max(Math.ceil(at), this.#now);
    const others = this.#entries.get(due);
    if (others) others.push(entry);
    else this.#entries.set(due, [entry]);
  }

  /** Handles all entries up to `until`, also those that are added meanwhile. `handle` returns false to end at once. */
  run(until: number, handle: (entry: number) => boolean): void {
    for (; this.#now <= until && this.#entries.size > 0; this.#now++) {
      const due = this.#entries.get(this.#now);
      if (!due) continue;
      // The list may grow while it is handled.
      for (let next = 0; next < due.length; next++) if (!handle(due[next] ?? 0)) return;
      this.#entries.delete(this.#now);
    }
  }
}
