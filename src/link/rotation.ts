import { Waiters } from '../async/waiters.ts';
import type { TunnelError } from '../errors.ts';

/** The replacement of a link's sessions by such with a newer credential: how long it takes, and who waits for it. */
export class Rotation {
  #since: number | undefined;
  #failure: TunnelError | undefined;
  readonly #over = new Waiters();

  get underWay(): boolean {
    return this.#since !== undefined;
  }

  /** Begins, or begins anew when yet another credential has come. `now` as of performance.now(). */
  begin(now: number): void {
    this.#since = now;
    this.#failure = undefined;
  }

  /** Every session is replaced, or there is none left to replace. Returns how long it took, in seconds. */
  finish(now: number): number | undefined {
    const since = this.#since;
    this.#since = undefined;
    this.#over.wake();
    return since === undefined ? undefined : (now - since) / 1000;
  }

  /** An attempt has failed. The sessions that were to be replaced serve on, and it goes on being tried. */
  fail(error: TunnelError): void {
    if (!this.underWay) return;
    this.#failure = error;
    this.#over.wake();
  }

  /** Settles when it is over, or has failed for the first time: with the reason then. Rejects with the signal's reason. */
  async outcome(signal: AbortSignal): Promise<TunnelError | undefined> {
    if (this.underWay && !this.#failure) await this.#over.wait(signal);
    return this.underWay ? this.#failure : undefined;
  }
}
