import type { HostConfig } from '../config/config.ts';
import type { TunnelError } from '../errors.ts';
import type { CredentialFacts } from './session.ts';

/** The same credential is not offered again sooner after the server has rejected it. */
const RETRY_MS = 60_000;

/** The credential that a server rejected last. Times as of performance.now(). */
export class Rejection {
  #last: { readonly what: string; readonly at: number; readonly error: TunnelError } | undefined;

  note(host: HostConfig, credential: CredentialFacts | undefined, error: TunnelError, now: number): void {
    this.#last = { what: identityOf(host, credential), at: now, error };
  }

  forget(): void {
    this.#last = undefined;
  }

  /** How much longer this may not be offered there, and why; undefined when it may. */
  holds(
    host: HostConfig,
    credential: CredentialFacts,
    now: number,
  ): { readonly waitMs: number; readonly error: TunnelError } | undefined {
    if (!this.#last || this.#last.what !== identityOf(host, credential)) return undefined;
    const waitMs = this.#last.at + RETRY_MS - now;
    return waitMs > 0 ? { waitMs, error: this.#last.error } : undefined;
  }
}

/** Another user or another server has not rejected anything yet. */
function identityOf({ address, port, user }: HostConfig, credential: CredentialFacts | undefined): string {
  return JSON.stringify([address, port, user, credential?.fingerprint]);
}
