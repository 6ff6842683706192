/** The callbacks of one moment, with their timer. */
interface Round {
  readonly callBacks: Set<() => void>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Timers that end together, in rounds: a timer of its own would wake the process for each of them. A pause becomes up to
 * half of the time between two rounds longer or shorter. Shorter pauses than `leastMs` have timers of their own.
 */
export class Rounds {
  readonly #everyMs: number;
  readonly #leastMs: number;
  readonly #rounds = new Map<number, Round>();

  /** @param everyMs time between two rounds, in milliseconds */
  constructor(everyMs: number, leastMs: number) {
    this.#everyMs = everyMs;
    this.#leastMs = leastMs;
  }

  /** Calls back after about `ms` milliseconds, unless cancelled before by the returned function. */
  after(ms: number, callBack: () => void): () => void {
    if (ms < this.#leastMs) {
      const timer = setTimeout(callBack, ms);
      return () => clearTimeout(timer);
    }
    const number = Math.round((performance.now() + ms) / this.#everyMs);
    const { callBacks, timer } = this.#of(number);
    // Each call counts, also with the same function.
    const own = () => callBack();
    callBacks.add(own);
    return () => {
      if (!callBacks.delete(own) || callBacks.size > 0) return;
      clearTimeout(timer);
      if (this.#rounds.get(number)?.timer === timer) this.#rounds.delete(number);
    };
  }

  #of(number: number): Round {
    const known = this.#rounds.get(number);
    if (known) return known;
    const callBacks = new Set<() => void>();
    const over = () => {
      this.#rounds.delete(number);
      for (const callBack of callBacks) callBack();
      callBacks.clear();
    };
    const round = { callBacks, timer: setTimeout(over, number * this.#everyMs - performance.now()) };
    this.#rounds.set(number, round);
    return round;
  }
}
