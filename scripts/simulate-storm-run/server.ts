/** A modelled sshd. Times in milliseconds. */
export interface ServerOptions {
  /** From the restart on, so long nobody listens. */
  readonly outageMs: number;
  /** CPU for one login: fork, key exchange, authentication. */
  readonly loginMs: number;
  /** Cores for logins. The listener, which is one process, has one more. */
  readonly cores: number;
  /** CPU of the listener for a connection that it gives to a new process, and for one that it drops at once. */
  readonly forkMs: number;
  readonly dropMs: number;
  /** MaxStartups of sshd_config(5): `begin:rate:full`. */
  readonly maxStartups: { readonly begin: number; readonly ratePercent: number; readonly full: number };
  /** Nodes that share an address, as behind one NAT: a penalty of PerSourcePenalties meets all of them. */
  readonly nodesPerAddress: number;
  readonly roundTripMs: number;
}

export const USUAL_SERVER: ServerOptions = {
  outageMs: 10_000,
  loginMs: 22,
  cores: 3,
  forkMs: 0.5,
  dropMs: 0.03,
  maxStartups: { begin: 10, ratePercent: 30, full: 100 },
  nodesPerAddress: 1,
  roundTripMs: 20,
};

/** `listen(2)`: sshd asks for a queue of 128. A further SYN gets no answer. */
const LISTEN_QUEUE = 128;
/** A login takes about so many round trips: TCP, versions, key exchange, authentication. */
const LOGIN_ROUND_TRIPS = 6;
/** PerSourcePenalties, as by default: one second for a connection that ends without a login, in force from 15 s on. */
const PENALTY_MS = 1_000;
const PENALTY_MIN_MS = 15_000;
const PENALTY_MAX_MS = 600_000;

/** The fate of a connection. `at`: when the client knows. `lost`: no answer to the SYN. */
export type Fate =
  | { readonly kind: 'refused' | 'dropped' | 'penalised'; readonly at: number }
  | { readonly kind: 'login'; readonly at: number }
  | { readonly kind: 'lost' };

/** sshd with MaxStartups, PerSourcePenalties and a CPU, which queues what it cannot do at once. */
export class Server {
  readonly #options: ServerOptions;
  readonly #random: () => number;
  readonly #coreFreeAt: number[];
  readonly #penalties = new Map<number, number>();
  #listenerFreeAt = 0;
  #startups = 0;

  constructor(options: ServerOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#coreFreeAt = Array.from({ length: options.cores }, () => 0);
  }

  /** A SYN arrives. Call {@link loggedIn} or {@link gaveUp} at the end of each login. */
  connect(node: number, now: number): Fate {
    const { outageMs, forkMs, dropMs, roundTripMs } = this.#options;
    if (now < outageMs) return { kind: 'refused', at: now + roundTripMs };
    if (this.#listenerFreeAt - now > LISTEN_QUEUE * dropMs) return { kind: 'lost' };
    const penalised = this.#isPenalised(node, now);
    const refused = penalised || this.#drops();
    const accepted = Math.max(now, this.#listenerFreeAt) + (refused ? dropMs : forkMs);
    this.#listenerFreeAt = accepted;
    if (refused) return { kind: penalised ? 'penalised' : 'dropped', at: accepted + roundTripMs };
    this.#startups++;
    return { kind: 'login', at: this.#login(accepted) };
  }

  loggedIn(): void {
    this.#startups--;
  }

  /** A client closed its connection before the login (`noauth`). */
  gaveUp(node: number, now: number): void {
    this.#startups--;
    const address = this.#addressOf(node);
    const expiry = Math.max(now, this.#penalties.get(address) ?? 0) + PENALTY_MS;
    this.#penalties.set(address, Math.min(expiry, now + PENALTY_MAX_MS));
  }

  #addressOf(node: number): number {
    return Math.floor(node / this.#options.nodesPerAddress);
  }

  #isPenalised(node: number, now: number): boolean {
    return (this.#penalties.get(this.#addressOf(node)) ?? 0) - now > PENALTY_MIN_MS;
  }

  /** As `should_drop_connection` of sshd. */
  #drops(): boolean {
    const { begin, ratePercent, full } = this.#options.maxStartups;
    if (this.#startups < begin) return false;
    if (this.#startups >= full || ratePercent === 100) return true;
    const percent = ratePercent + ((100 - ratePercent) * (this.#startups - begin)) / (full - begin);
    return this.#random() * 100 < percent;
  }

  /** The end of a login on the core that is free first. */
  #login(from: number): number {
    const { loginMs, roundTripMs } = this.#options;
    const free = Math.min(...this.#coreFreeAt);
    const core = this.#coreFreeAt.indexOf(free);
    const done = Math.max(from, free) + loginMs;
    this.#coreFreeAt[core] = done;
    return Math.max(done, from + LOGIN_ROUND_TRIPS * roundTripMs);
  }
}
