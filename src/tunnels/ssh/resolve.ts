import { type LookupAddress, lookup } from 'node:dns';
import { isIP } from 'node:net';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';

/** Asks the system's resolver (nsswitch.conf, /etc/hosts included), which may take its time. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/**
 * Resolves names anew at each call. getaddrinfo(3) blocks one of the few threads of libuv, cannot be cancelled, and under
 * a dead resolver takes up to half a minute; libuv gives it at most half of the threads. So there is at most one question
 * for a name at a time, which later callers join, and a name whose question is stuck is answered with what it was last.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #asking = new Map<string, Promise<readonly string[]>>();
  readonly #last = new Map<string, readonly string[]>();
  readonly #remembers: boolean;

  /** `remembers`: whether a question that is stuck is answered with what the name was last, or not at all. */
  constructor(ask: Lookup = lookupAll, remembers = true) {
    this.#lookup = ask;
    this.#remembers = remembers;
  }

  /** At least one address. Rejects with `dns_failed`, after `timeoutMs` at the latest, or with the signal's reason. */
  async resolve(name: string, timeoutMs: number, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(name)) return [name];
    const expired = () => new TunnelError('dns_failed', `${name} was not resolved within ${timeoutMs} ms`);
    try {
      return await withDeadline(timeoutMs, signal, expired, (bounded) => abortable(this.#ask(name), bounded));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TunnelError))
        throw new TunnelError('dns_failed', `${name} cannot be resolved: ${codeOf(error)}`, { cause: error });
      // No answer says nothing about the name; who answers at an old address still has to prove its host key.
      const last = this.#remembers ? this.#last.get(name) : undefined;
      if (last) return last;
      throw error;
    }
  }

  #ask(name: string): Promise<readonly string[]> {
    const asking = this.#asking.get(name);
    if (asking) return asking;
    const answer = this.#lookup(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, answer);
    answer.then(
      (addresses) => this.#last.set(name, addresses),
      () => this.#last.delete(name),
    );
    return answer;
  }
}

/**
 * The addresses in the order to try them: those that fewer of the link's sessions use come first, so that sessions spread
 * over what a name has; among equals the resolver's order (RFC 6724) holds. Pure.
 */
export function preferUnused(addresses: readonly string[], inUse: readonly string[]): readonly string[] {
  const uses = (address: string) => inUse.filter((used) => used === address).length;
  return addresses.toSorted((a, b) => uses(a) - uses(b));
}

function lookupAll(name: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error: Error | null, found: LookupAddress[]) => {
      if (error) reject(error);
      else resolve([...new Set(found.map(({ address }) => address))]);
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}
