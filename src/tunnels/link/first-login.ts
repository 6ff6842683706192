import { Waiters } from '../../base/async/waiters.ts';
import type { TunnelError } from '../../base/errors.ts';

/** The first login after a change of a link's settings: its outcome, and who waits for the outcome. */
export class FirstLogin {
  #awaited = false;
  #failure: TunnelError | undefined;
  readonly #over = new Waiters();

  /** The settings changed: no login with them has ended. */
  begin(): void {
    this.#awaited = true;
    this.#failure = undefined;
  }

  succeeded(): void {
    this.#awaited = false;
    this.#failure = undefined;
    this.#over.wake();
  }

  /** An attempt failed. Attempts continue. */
  fail(error: TunnelError): void {
    if (!this.#awaited) return;
    this.#failure = error;
    this.#over.wake();
  }

  /** Settles at the first login, or with the error of the first failed attempt. Rejects with the signal's reason. */
  async outcome(signal: AbortSignal): Promise<TunnelError | undefined> {
    if (this.#awaited && !this.#failure) await this.#over.wait(signal);
    return this.#failure;
  }
}
