export interface BudgetOptions {
  /** Share of all time that may be spent in the long run, from 0 to 1. */
  readonly share: number;
  /** Milliseconds that may be spent at once after a time of rest. */
  readonly burstMs: number;
}

/** How much time some work may take: a token bucket that is filled with time. Pure; all times in milliseconds, monotonic. */
export class Budget {
  readonly #options: BudgetOptions;
  #leftMs: number;
  #at: number;

  constructor(options: BudgetOptions, now: number) {
    this.#options = options;
    this.#leftMs = options.burstMs;
    this.#at = now;
  }

  /** So much was spent, up to now. It may be more than there was: the next wait is longer then. */
  spend(ms: number, now: number): void {
    this.#refill(now);
    this.#leftMs -= ms;
  }

  /** How long to wait before more may be spent; 0 for not at all. */
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
