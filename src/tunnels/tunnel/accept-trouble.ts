/** After so long without an error the next one is news again, in milliseconds. */
const QUIET_MS = 10_000;

/** Errors of accepting come by the thousand: only the first of a row is worth a line. */
export class AcceptTrouble {
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Whether this error, at `now` as of performance.now(), is the first of its row. */
  isNews(now: number): boolean {
    const news = now - this.#lastAt > QUIET_MS;
    this.#lastAt = now;
    return news;
  }
}
