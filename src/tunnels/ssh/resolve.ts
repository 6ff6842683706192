import { type LookupAddress, lookup } from 'node:dns';
import { isIP } from 'node:net';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';

/** With known addresses, an answer is awaited for this long, in milliseconds: a resolver that hangs delays no login. */
const PATIENCE_MS = 2_000;

/** Asks the system's resolver (including nsswitch.conf and /etc/hosts), which may be slow. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/**
 * Resolves names again at each call. getaddrinfo(3) blocks one of the few threads of libuv, cannot be cancelled, and
 * takes up to 30 s with a dead resolver; libuv gives it at most half of the threads. So each name has at most one lookup
 * at a time, which later callers join. If a lookup is stuck, the last known addresses are used soon.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #asking = new Map<string, Promise<readonly string[]>>();
  readonly #last = new Map<string, readonly string[]>();
  readonly #remembers: boolean;

  /** `remembers`: whether a stuck lookup returns the last known addresses, or fails. */
  constructor(ask: Lookup = lookupAll, remembers = true) {
    this.#lookup = ask;
    this.#remembers = remembers;
  }

  /** At least one address. Rejects with `dns_failed`, after `timeoutMs` at the latest, or with the signal's reason. */
  async resolve(name: string, timeoutMs: number, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(name)) return [name];
    const last = this.#remembers ? this.#last.get(name) : undefined;
    const waitMs = last ? Math.min(PATIENCE_MS, timeoutMs) : timeoutMs;
    const expired = () => new TunnelError('dns_failed', `${name} was not resolved within ${waitMs} ms`);
    try {
      return await withDeadline(waitMs, signal, expired, (bounded) => abortable(this.#ask(name), bounded));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TunnelError))
        throw new TunnelError('dns_failed', `${name} cannot be resolved: ${codeOf(error)}`, { cause: error });
      // A timeout says nothing about the name, and a server at an old address must still prove its host key.
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
 * The addresses in the order of the tries: addresses that are less often in `avoid` come first. So sessions spread over
 * all addresses, and leave one that fails. Equal addresses keep the resolver's order (RFC 6724). Pure.
 */
export function preferUnused(addresses: readonly string[], avoid: readonly string[]): readonly string[] {
  const uses = (address: string) => avoid.filter((used) => used === address).length;
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
