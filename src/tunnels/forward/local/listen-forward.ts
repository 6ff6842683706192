import type { Socket } from 'node:net';
import { Crowd } from '../../../base/async/crowd.ts';
import { sleep } from '../../../base/async/sleep.ts';
import { Waiters } from '../../../base/async/waiters.ts';
import { TunnelError } from '../../../base/errors.ts';
import { formatAddress } from '../../../base/net/address.ts';
import type { Listener } from '../../../base/net/listener.ts';
import type { Forward, ForwardCondition, ForwardDependencies } from '../forward.ts';
import type { Entrance } from '../junction.ts';
import { Passage, type PassageDependencies, type PassageOptions } from './passage.ts';
import { WaitingClients } from './waiting-clients.ts';

export interface ListenForwardOptions extends PassageOptions {
  readonly maxConnections: number;
}

export interface ListenForwardDependencies extends ForwardDependencies {
  readonly entrance: Entrance;
}

/** The pause before the next attempt to bind an address, in milliseconds. */
const RETRY_LISTEN_MS = 5_000;

const NEVER = new AbortController().signal;

/**
 * A forward that listens on this machine (ssh(1) `-L` and `-D`): it accepts clients here, and joins each to a channel
 * to its target. The listener does not depend on the link: without a session, clients wait, and are reset when the wait
 * is over. New options hold for new connections; open and waiting ones keep theirs.
 */
export class ListenForward implements Forward {
  #options: ListenForwardOptions;
  readonly #deps: ListenForwardDependencies;
  readonly #passing: PassageDependencies;
  #listener: Listener | undefined;
  #listenError: TunnelError | undefined;
  #binding = new AbortController();
  readonly #passages = new Crowd<Passage>();
  readonly #idle = new Waiters();

  constructor(options: ListenForwardOptions, deps: ListenForwardDependencies) {
    this.#options = options;
    this.#deps = deps;
    const waitingClients = new WaitingClients();
    this.#passing = { ...deps, junction: deps.entrance.junction, waitingClients, admit: () => this.#admit() };
  }

  get condition(): ForwardCondition {
    if (this.#listener) return { kind: 'serving', listenBy: this.#listener.by };
    return { kind: 'unbound', error: this.#listenError };
  }

  /** Binds the address; after a failure, tries again in the background until it works. */
  async start(): Promise<void> {
    this.#binding = new AbortController();
    const { signal } = this.#binding;
    if (!(await this.#bind(signal))) void this.#keepBinding(signal);
  }

  async stopAccepting(): Promise<void> {
    this.#binding.abort();
    const listener = this.#listener;
    this.#listener = undefined;
    this.#listenError = undefined;
    await listener?.close();
  }

  /** `serve`: whether a moved listener is bound at its new address. */
  async reconfigure(options: ListenForwardOptions, serve = true): Promise<void> {
    const moved = formatAddress(options.listen) !== formatAddress(this.#options.listen);
    this.#options = options;
    if (!moved) return;
    await this.stopAccepting();
    if (serve) await this.start();
  }

  /** Settles when no connection is open or waiting. */
  whenIdle(): Promise<void> {
    return this.#passages.size === 0 ? Promise.resolve() : this.#idle.wait(NEVER);
  }

  /** Resets every connection, open or waiting. */
  resetAll(): void {
    const reason = new TunnelError('connection_reset', 'the tunnel is stopping');
    for (const passage of this.#passages) passage.cut(reason);
  }

  async #bind(signal: AbortSignal): Promise<boolean> {
    try {
      const { entrance, onAcceptError } = this.#deps;
      const { listen: address } = this.#options;
      const listener = await entrance.listen(address, (socket) => void this.#serve(socket), onAcceptError);
      if (signal.aborted) {
        await listener.close();
        return false;
      }
      this.#listener = listener;
      this.#listenError = undefined;
    } catch (error) {
      if (signal.aborted) return false;
      this.#listenError = TunnelError.from(error);
    }
    this.#deps.onChange();
    return this.#listener !== undefined;
  }

  async #keepBinding(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(RETRY_LISTEN_MS, signal).catch(() => {});
      if (signal.aborted || (await this.#bind(signal))) return;
    }
  }

  async #serve(socket: Socket): Promise<void> {
    const passage = new Passage(socket, this.#options, this.#passing);
    this.#passages.add(passage);
    await passage.run();
    this.#passages.remove(passage);
    if (this.#passages.size === 0) this.#idle.wake();
  }

  #admit(): void {
    const { maxConnections } = this.#options;
    if (this.#passages.size > maxConnections)
      throw new TunnelError('connection_reset', `more than max_connections (${maxConnections}) connections`, {
        hint: 'Raise max_connections, or find the client that opens so many: `fleet-mesh why` shows the clients of a tunnel.',
      });
  }
}
