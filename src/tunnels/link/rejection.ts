import type { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import type { CredentialFacts } from '../credential/offer.ts';

/** The same credential is not offered again sooner after the server has rejected it. */
const RETRY_MS = 60_000;

interface Refused {
  readonly id: string;
  readonly at: number;
  readonly error: TunnelError;
}

/** The credentials that a server has rejected in the last minute, and whether it shuts this address out. Times as of performance.now(). */
export class Rejection {
  readonly #refused = new Map<string, Refused>();
  readonly #penalties = new Map<string, Omit<Refused, 'id'>>();

  note(host: HostConfig, facts: CredentialFacts | undefined, error: TunnelError, now: number): void {
    if (error.code === 'penalised') this.#penalties.set(serverOf(host), { at: now, error });
    else if (facts) this.#refused.set(offerOf(host, facts), { id: facts.id, at: now, error });
  }

  /** The server has let this one in: it is a good one, and the address is welcome. */
  forget(host: HostConfig, facts: CredentialFacts): void {
    this.#refused.delete(offerOf(host, facts));
    this.#penalties.delete(serverOf(host));
  }

  /** What need not be offered there now, by {@link CredentialFacts.id}. */
  refused(host: HostConfig, now: number): string[] {
    this.#expire(now);
    const there = offerOf(host, undefined);
    return [...this.#refused].filter(([offer]) => offer.startsWith(there)).map(([, { id }]) => id);
  }

  /** How much longer this may not be offered there, and why; undefined when it may. */
  holds(
    host: HostConfig,
    facts: CredentialFacts,
    now: number,
  ): { readonly waitMs: number; readonly error: TunnelError } | undefined {
    this.#expire(now);
    // A penalty is the address's, whatever it offers next (sshd_config(5), PerSourcePenalties).
    const last = this.#penalties.get(serverOf(host)) ?? this.#refused.get(offerOf(host, facts));
    return last && { waitMs: last.at + RETRY_MS - now, error: last.error };
  }

  #expire(now: number): void {
    for (const map of [this.#refused, this.#penalties])
      for (const [key, { at }] of map) if (at + RETRY_MS <= now) map.delete(key);
  }
}

function serverOf({ address, port }: HostConfig): string {
  return JSON.stringify([address, port]);
}

/** Another user or another server has not rejected anything yet. */
function offerOf({ address, port, user }: HostConfig, facts: CredentialFacts | undefined): string {
  return `${JSON.stringify([address, port, user])} ${facts?.id ?? ''}`;
}
