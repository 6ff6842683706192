import { sleep } from '../../base/async/sleep.ts';

/**
 * Spaces the connection attempts of all links to one host. sshd drops connections at random when more than ten are
 * unauthenticated (sshd_config(5), MaxStartups).
 */
export class Pacer {
  readonly #spacingMs: number;
  #nextAt = 0;

  constructor(spacingMs: number) {
    this.#spacingMs = spacingMs;
  }

  /** Settles when it is this caller's turn. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const at = this.reserve(now);
    if (at > now) await sleep(at - now, signal);
  }

  /** Gives the next turn away; returns its time. Both as of performance.now(). */
  reserve(now: number): number {
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#spacingMs;
    return at;
  }
}
