import type { Socket } from 'node:net';
import type { Listen } from '../../base/net/listener.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import { UNKNOWN } from './client.ts';
import { Ledger, type LedgerStatus, type Stay } from './ledger.ts';
import { type LocalEnd, onlyEnd } from './local-end.ts';
import { ClientResolver } from './resolver.ts';

/** The part of a forward's entrance that is used here. */
interface WatchedEntrance {
  readonly listen: Listen;
  /** `committed`: new clients cannot get into the tunnel any more. */
  readonly junction: { readonly way: { readonly kind: string } };
}

/** The clients of each tunnel that listens on this node, since the daemon's start. */
export class Clients {
  readonly #resolver: ClientResolver;
  readonly #ledgers = new Map<string, Ledger>();

  /** @param signal ends every search for clients */
  constructor(metrics: Pick<Metrics, 'clientLookups' | 'clientLookupSeconds'>, signal: AbortSignal) {
    this.#resolver = new ClientResolver(
      {
        onAnswered: (result) => metrics.clientLookups.inc({ result }),
        onLooked: (seconds) => metrics.clientLookupSeconds.observe({}, seconds),
      },
      signal,
    );
  }

  /**
   * Returns the entrance with counted clients. Clients count while new ones can enter the tunnel. Earlier clients of a
   * tunnel of that name are forgotten.
   */
  watching<Entrance extends WatchedEntrance>(tunnel: string, entrance: Entrance): Entrance {
    const { listen, junction } = entrance;
    const ledger = new Ledger();
    this.#ledgers.set(tunnel, ledger);
    const watched: Listen = (address, onConnection, onError) => {
      const at = onlyEnd(address);
      const accept = (socket: Socket) => {
        const counted = junction.way.kind !== 'committed';
        onConnection(socket);
        if (counted) this.#note(ledger, socket, at);
      };
      return listen(address, accept, onError);
    };
    return { ...entrance, listen: watched };
  }

  /** Undefined for a tunnel that does not listen here: its clients are on the far side and cannot be seen. */
  of(tunnel: string, now: Date): LedgerStatus | undefined {
    return this.#ledgers.get(tunnel)?.status(now.getTime());
  }

  /** Forgets removed tunnels after their last connection. */
  keepOnly(tunnels: ReadonlyMap<string, unknown>): void {
    for (const [name, ledger] of this.#ledgers) if (!tunnels.has(name) && ledger.open === 0) this.#ledgers.delete(name);
  }

  #note(ledger: Ledger, socket: Socket, at: LocalEnd | undefined): void {
    const stay: Stay = { since: Date.now(), until: undefined, account: undefined };
    socket.once('close', () => ledger.end(stay, Date.now()));
    const { remoteAddress, remotePort } = socket;
    const { localAddress, localPort } = at ?? socket;
    if (remoteAddress === undefined || localAddress === undefined) {
      // A Unix socket, whose peer Node does not report (SO_PEERCRED), or a client that already closed.
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
