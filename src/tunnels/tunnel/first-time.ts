/** Tells what is new from what repeats, for logs that strangers can fill. */
export class FirstTime {
  readonly #seen = new Set<string>();
  readonly #most: number;

  /** @param most how many are remembered; once there are so many, nothing is new any more */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether the text comes for the first time. */
  of(text: string): boolean {
    if (this.#seen.has(text) || this.#seen.size >= this.#most) return false;
    this.#seen.add(text);
    return true;
  }

  clear(): void {
    this.#seen.clear();
  }
}
