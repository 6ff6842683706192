export interface BudgetOptions {
  /** Share of all time that may be spent in the long run, from 0 to 1. */
  readonly share: number;
  /** Milliseconds that may be spent at once after a rest. */
  readonly burstMs: number;
}

/** A limit on the time for some work: a token bucket that fills with time. Pure; times in monotonic milliseconds. */
export class Budget {
  readonly #options: BudgetOptions;
  #leftMs: number;
  #at: number;

  constructor(options: BudgetOptions, now: number) {
    this.#options = options;
    this.#leftMs = options.burstMs;
    this.#at = now;
  }

  /** Takes `ms` from the budget. Overspending is allowed: the next wait is then longer. */
  spend(ms: number, now: number): void {
    this.#refill(now);
    this.#leftMs -= ms;
  }

  /** How long to wait before more work; 0: work now. */
  waitMs(now: number): number {
    this.#refill(now);
    return this.#leftMs > 0 ? 0 : Math.ceil((1 - this.#leftMs) / this.#options.share);
  }

  #refill(now: number): void {
    const { share, burstMs } = this.#options;
    this.#leftMs = Math.min(burstMs, this.#leftMs + Math.max(0, now - this.#at) * share);
    this.#at = Math.max(this.#at, now);
  }
}
