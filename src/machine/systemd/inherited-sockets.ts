import { formatAddress } from '../../base/net/address.ts';
import { keepReserve, type Listen, listen } from '../../base/net/listener.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { SocketStatus } from '../../telemetry/status/status.ts';
import { InheritedSocket, type Taker } from './inherited-socket.ts';
import type { PassedFd } from './listen-fds.ts';
import { addressFits, nameFits, userText, type Wanted } from './wanted.ts';

/** The sockets that systemd passed to this process (sd_listen_fds(3)), and their users. */
export class InheritedSockets {
  readonly #log: Logger;
  readonly #sockets: readonly InheritedSocket[];
  readonly #users = new Map<InheritedSocket, string>();
  readonly #problems = new Map<InheritedSocket, string>();
  readonly #loggedMissing = new Set<string>();
  #settled = false;
  #leaving = false;

  constructor(fds: readonly PassedFd[], log: Logger) {
    this.#sockets = fds.map((fd) => new InheritedSocket(fd));
    this.#log = log;
  }

  /**
   * Takes the socket for this listener; its name and its address must match. Returns the function that gives the socket
   * back, or undefined: no socket matches, and the caller must bind the address.
   */
  claim(wanted: Wanted, taker: Taker): (() => void) | undefined {
    if (this.#sockets.length === 0 || this.#leaving) return undefined;
    for (const socket of this.#sockets) {
      if (!socket.isFree || !nameFits(socket.name, wanted)) continue;
      socket.open();
      if (socket.address === undefined || !addressFits(socket.address, wanted)) {
        this.#problems.set(socket, `${userText(wanted)} listens on ${formatAddress(wanted.address)}`);
        continue;
      }
      socket.take(taker);
      this.#problems.delete(socket);
      this.#users.set(socket, userText(wanted));
      return () => this.#giveBack(socket, taker);
    }
    this.#logMissing(wanted);
    return undefined;
  }

  /** Every listener has claimed its socket: the remaining sockets are surplus, and are logged. */
  settle(): void {
    this.#settled = true;
    for (const socket of this.#sockets) {
      if (!socket.isFree) continue;
      socket.open();
      this.#log.warn(
        { event: 'socket.surplus', socket: socket.name, problem: this.#problemOf(socket) },
        `systemd passed an unused socket: ${this.#problemOf(socket)}; its clients are reset`,
      );
    }
  }

  /** This process ends: free sockets close now, used ones when given back. Their clients wait for the next process. */
  leave(): void {
    this.#leaving = true;
    for (const socket of this.#sockets) if (socket.isFree) socket.close();
  }

  status(): SocketStatus[] {
    return this.#sockets.map((socket) => ({
      name: socket.name,
      address: socket.address === undefined ? null : formatAddress(socket.address),
      used_by: this.#users.get(socket) ?? null,
      problem: socket.isFree ? this.#problemOf(socket) : null,
    }));
  }

  #giveBack(socket: InheritedSocket, taker: Taker): void {
    if (!socket.release(taker)) return;
    this.#users.delete(socket);
    if (this.#leaving) socket.close();
  }

  #problemOf(socket: InheritedSocket): string {
    const { name, address } = socket;
    if (address === undefined) return `${name} is not a listening stream socket`;
    const why =
      this.#problems.get(socket) ??
      'the socket name is unknown: expected endpoint, or tunnel-NAME or forward-PORT of a configured tunnel';
    return `${name} is bound to ${formatAddress(address)}, but ${why}`;
  }

  #logMissing(wanted: Wanted): void {
    const where = formatAddress(wanted.address);
    const who = `${userText(wanted)} at ${where}`;
    if (this.#loggedMissing.has(who)) return;
    this.#loggedMissing.add(who);
    this.#log[this.#settled ? 'info' : 'warn'](
      { event: 'socket.missing', listen: where },
      `systemd passed no socket for ${who}: the daemon binds the address, so the port is closed during a restart`,
    );
  }
}

/** Listens for a tunnel on the socket from systemd; without a socket, binds the address. */
export function listenFor(tunnel: string, sockets: InheritedSockets): Listen {
  return async (address, onConnection, onError) => {
    const taker = { onConnection: keepReserve(onConnection, onError), onError };
    const giveBack = sockets.claim({ user: { kind: 'tunnel', name: tunnel }, address }, taker);
    if (giveBack === undefined) return listen(address, onConnection, onError);
    return { address, by: 'systemd', close: async () => giveBack() };
  };
}
