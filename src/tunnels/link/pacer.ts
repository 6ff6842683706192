import { sleep } from '../../base/async/sleep.ts';

/**
 * Spaces the connection attempts to one host, over all of its links and sessions: sshd drops connections at random
 * beyond ten unauthenticated ones (sshd_config(5), MaxStartups).
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
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#spacingMs;
    if (at > now) await sleep(at - now, signal);
  }
}
