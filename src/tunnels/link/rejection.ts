import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import type { CredentialFacts } from '../credential/offer.ts';

/** A rejected credential is offered again after this long, in milliseconds. */
const RETRY_MS = 60_000;

interface Refused {
  readonly id: string;
  readonly at: number;
  readonly error: TunnelError;
}

/** The credentials and addresses that a server rejected in the last minute. Times as of performance.now(). */
export class Rejection {
  readonly #refused = new Map<string, Refused>();
  readonly #penalties = new Map<string, Omit<Refused, 'id'>>();

  note(host: HostConfig, facts: CredentialFacts | undefined, error: TunnelError, now: number): void {
    if (error.code === 'penalised') this.#penalties.set(serverOf(host), { at: now, error });
    else if (facts) this.#refused.set(offerOf(host, facts), { id: facts.id, at: now, error });
  }

  /** The server accepted this credential, so neither it nor the address is rejected any more. */
  forget(host: HostConfig, facts: CredentialFacts): void {
    this.#refused.delete(offerOf(host, facts));
    this.#penalties.delete(serverOf(host));
  }

  /** The credentials that the host rejected, by {@link CredentialFacts.id}. */
  refused(host: HostConfig, now: number): string[] {
    this.#expire(now);
    const there = offerOf(host, undefined);
    return [...this.#refused].filter(([offer]) => offer.startsWith(there)).map(([, { id }]) => id);
  }

  /** How long the credential must still wait, and why; undefined when it may be offered now. */
  holds(
    host: HostConfig,
    facts: CredentialFacts,
    now: number,
  ): { readonly waitMs: number; readonly error: TunnelError } | undefined {
    this.#expire(now);
    // A penalty applies to the address, whatever credential comes next (sshd_config(5), PerSourcePenalties).
    const last = this.#penalties.get(serverOf(host)) ?? this.#refused.get(offerOf(host, facts));
    return last && { waitMs: last.at + RETRY_MS - now, error: last.error };
  }

  #expire(now: number): void {
    for (const map of [this.#refused, this.#penalties])
      for (const [key, { at }] of map) if (at + RETRY_MS <= now) map.delete(key);
  }
}

/** A rejection of the last minute, for a person who has just asked for a login: no login was tried. */
export function rememberedRejection(error: TunnelError, waitMs: number): TunnelError {
  const next = `the next login is in ${Math.ceil(waitMs / 1000)} s, because servers lock out who repeats a rejected login`;
  return new TunnelError(error.code, `${error.message} less than a minute ago; ${next}`, {
    cause: error,
    hint: error.hint,
  });
}

function serverOf({ address, port }: HostConfig): string {
  return JSON.stringify([address, port]);
}

/** A rejection counts for one user at one server only. */
function offerOf({ address, port, user }: HostConfig, facts: CredentialFacts | undefined): string {
  return `${JSON.stringify([address, port, user])} ${facts?.id ?? ''}`;
}
