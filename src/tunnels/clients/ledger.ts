import type { ClientStatus, OtherClientsStatus } from '../../telemetry/status/status.ts';
import { type Client, clientKey, UNKNOWN } from './client.ts';

/** Clients beyond this number are counted together: nobody reads a longer list. */
const MOST_CLIENTS = 32;

interface Account {
  client: Client;
  open: number;
  total: number;
  /** Time of the last close, in milliseconds since the epoch; unused while connections are open. */
  lastSeen: number;
  /** The account that counts this one after its removal from the list. */
  movedTo: Account | undefined;
}

/** One connection of a client. */
export interface Stay {
  readonly since: number;
  /** When it ended; undefined while it is open. */
  until: number | undefined;
  account: Account | undefined;
}

export interface LedgerStatus {
  readonly clients: ClientStatus[];
  readonly other_clients: OtherClientsStatus | null;
}

/**
 * The clients of one tunnel, bounded in number. The least recently seen client leaves the list and is counted with the
 * others. A connection is counted once its client is known, or was not looked up. Times in milliseconds since the epoch.
 */
export class Ledger {
  readonly #most: number;
  readonly #accounts = new Map<string, Account>();
  readonly #others: Account;

  constructor(most = MOST_CLIENTS) {
    this.#most = most;
    this.#others = { client: UNKNOWN, open: 0, total: 0, lastSeen: 0, movedTo: undefined };
  }

  /** Open connections of all clients. */
  get open(): number {
    return [...this.#accounts.values(), this.#others].reduce((sum, { open }) => sum + open, 0);
  }

  /**
   * Counts a connection for its client; undefined: the client was not looked up. The connection may have ended. Call this
   * once per stay.
   */
  count(stay: Stay, client: Client | undefined): void {
    const account = client === undefined ? this.#others : this.#accountOf(client);
    stay.account = account;
    account.total++;
    if (stay.until === undefined) account.open++;
    account.lastSeen = Math.max(account.lastSeen, stay.until ?? stay.since);
    if (this.#accounts.size > this.#most) this.#dropOne(account);
  }

  /** The connection has ended, counted or not. */
  end(stay: Stay, at: number): void {
    stay.until = at;
    const account = stay.account?.movedTo ?? stay.account;
    if (account === undefined) return;
    account.open--;
    account.lastSeen = Math.max(account.lastSeen, at);
  }

  /** The most recently seen first. */
  status(now: number): LedgerStatus {
    const seen = (account: Account) => new Date(lastSeen(account, now));
    const accounts = [...this.#accounts.values()].sort((a, b) => lastSeen(b, now) - lastSeen(a, now));
    const { total, open } = this.#others;
    return {
      clients: accounts.map((account) => ({
        ...account.client,
        process: account.client.process ?? 'unknown',
        open: account.open,
        last_seen_at: seen(account),
        connections_total: account.total,
      })),
      other_clients: total === 0 ? null : { open, last_seen_at: seen(this.#others), connections_total: total },
    };
  }

  #accountOf(client: Client): Account {
    const key = clientKey(client);
    const known = this.#accounts.get(key);
    if (known !== undefined) {
      known.client = client;
      return known;
    }
    const account: Account = { client, open: 0, total: 0, lastSeen: 0, movedTo: undefined };
    this.#accounts.set(key, account);
    return account;
  }

  /** Never drops the newest account. */
  #dropOne(newest: Account): void {
    const now = Number.MAX_SAFE_INTEGER;
    const candidates = [...this.#accounts].filter(([, account]) => account !== newest);
    candidates.sort(([, a], [, b]) => lastSeen(a, now) - lastSeen(b, now) || a.lastSeen - b.lastSeen);
    const [found] = candidates;
    if (found === undefined) return;
    const [key, account] = found;
    this.#accounts.delete(key);
    account.movedTo = this.#others;
    this.#others.total += account.total;
    this.#others.open += account.open;
    this.#others.lastSeen = Math.max(this.#others.lastSeen, account.lastSeen);
  }
}

function lastSeen(account: Account, now: number): number {
  return account.open > 0 ? now : account.lastSeen;
}
