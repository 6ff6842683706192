/** A timer that comes later than this was late because the process was stopped, or had no CPU. In milliseconds. */
const LATE_MS = 1_000;
/** The answers that came meanwhile are read within this time, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Calls `onExpired` after `ms` milliseconds, unless ended before. A process that was stopped finds its timers over before
 * it reads the answers of that time. So a late timer gives the answers one more second.
 */
export class DeadlineTimer {
  readonly #ms: number;
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout;
  #dueAt: number;

  constructor(ms: number, onExpired: () => void) {
    this.#ms = ms;
    this.#onExpired = onExpired;
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#over(), ms);
  }

  /** The time begins again. */
  restart(): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + this.#ms;
    this.#timer = setTimeout(() => this.#over(), this.#ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #over(): void {
    const late = performance.now() - this.#dueAt > LATE_MS;
    if (late) this.#timer = setTimeout(this.#onExpired, GRACE_MS);
    else this.#onExpired();
  }
}
