/** A timer that comes later than this was late because the process was stopped, or had no CPU. In milliseconds. */
const LATE_MS = 50;
/** The answers that came meanwhile are read within this time at most, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Calls `onExpired` after `ms` milliseconds, unless ended before. A process that was stopped finds its timers over before
 * it reads the answers of that time. So a timer that was late gives the answers as much time, up to a second.
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

  /** The time begins again, or another one of `ms` milliseconds. */
  restart(ms = this.#ms): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#over(), ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #over(): void {
    const lateMs = performance.now() - this.#dueAt;
    if (lateMs > LATE_MS) this.#timer = setTimeout(this.#onExpired, Math.min(lateMs, GRACE_MS));
    else this.#onExpired();
  }
}
