import type { Socket } from 'node:net';
import type { Listen } from '../../base/net/listener.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import { UNKNOWN } from './client.ts';
import { Ledger, type LedgerStatus, type Stay } from './ledger.ts';
import { ClientResolver } from './resolver.ts';

/** What is known of the way that clients go. */
const ALWAYS_THROUGH: { readonly mayLeadThrough: boolean } = { mayLeadThrough: true };

/** Who uses each tunnel that listens on this node (SPEC section 3, "Accounting"). Since the start of the daemon. */
export class Clients {
  readonly #resolver: ClientResolver;
  readonly #ledgers = new Map<string, Ledger>();

  /** @param signal ends looking for them */
  constructor(metrics: Pick<Metrics, 'clientLookups' | 'clientLookupSeconds'>, signal: AbortSignal) {
    this.#resolver = new ClientResolver(
      {
        onAnswered: (result) => metrics.clientLookups.inc({ result }),
        onLooked: (seconds) => metrics.clientLookupSeconds.observe(seconds),
      },
      signal,
    );
  }

  /**
   * The same listeners, but who comes to them is noted, as long as somebody who comes can get into the tunnel. A tunnel of
   * that name has no clients yet.
   */
  watching(tunnel: string, listen: Listen, way = ALWAYS_THROUGH): Listen {
    const ledger = new Ledger();
    this.#ledgers.set(tunnel, ledger);
    return (address, onConnection, onError) => {
      const accept = (socket: Socket) => {
        const counted = way.mayLeadThrough;
        onConnection(socket);
        if (counted) this.#note(ledger, socket);
      };
      return listen(address, accept, onError);
    };
  }

  /** Undefined for a tunnel that does not listen here: its clients are on the far side, where nobody can look. */
  of(tunnel: string, now: Date): LedgerStatus | undefined {
    return this.#ledgers.get(tunnel)?.status(now.getTime());
  }

  /** Forgets the tunnels that are gone, once their last connection has ended. */
  keepOnly(tunnels: ReadonlyMap<string, unknown>): void {
    for (const [name, ledger] of this.#ledgers) if (!tunnels.has(name) && ledger.open === 0) this.#ledgers.delete(name);
  }

  #note(ledger: Ledger, socket: Socket): void {
    const stay: Stay = { since: Date.now(), until: undefined, account: undefined };
    socket.once('close', () => ledger.end(stay, Date.now()));
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (remoteAddress === undefined || localAddress === undefined) {
      // A Unix socket, whose peer Node does not tell (SO_PEERCRED), or a client that is gone already.
      ledger.count(stay, UNKNOWN);
      return;
    }
    this.#resolver.ask({
      peer: { address: remoteAddress, port: remotePort ?? 0, localAddress, localPort: localPort ?? 0 },
      isOpen: () => stay.until === undefined,
      answer: (client) => ledger.count(stay, client),
    });
  }
}
