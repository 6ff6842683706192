import type { Socket } from 'node:net';
import type { Address } from '../address.ts';
import { withDeadline } from '../async/deadline.ts';
import { sleep } from '../async/sleep.ts';
import type { WhileDown } from '../config/config.ts';
import { type ErrorCode, TunnelError } from '../errors.ts';
import type { Channel, ChannelSource, Originator } from './channel-source.ts';
import { type Listener, listen } from './listener.ts';
import { relay } from './relay.ts';
import type { Usage } from './usage.ts';

export interface LocalForwardOptions {
  /** As reached from the far side. */
  readonly target: Address;
  readonly whileDown: WhileDown;
  readonly maxConnections: number;
}

export interface LocalForwardDependencies {
  readonly source: ChannelSource;
  readonly usage: Usage;
  /** A connection was given its channel, or not. Errors of the peer's making are the tunnel's business, too. */
  onOpened(seconds: number): void;
  onFailed(error: TunnelError): void;
  /** How long a connection was held for the link, in seconds. */
  onHeld(seconds: number): void;
  /** One accept failed; the listener lives. */
  onAcceptError(error: Error): void;
}

/** The session went away before the channel was there: the client has lost nothing yet, another try is free. */
const SESSION_LOST: ReadonlySet<ErrorCode> = new Set(['connection_reset', 'keepalive_lost']);

/** The SPEC's `hold` bounds the wait for a link; with `refuse` a lost session is still given this long to be replaced. */
const REFUSE_RETRY_MS = 1_000;

const RETRY_PAUSE_MS = 10;

/**
 * A local forward (ssh(1) `-L`): accepts here, and joins each connection to a channel to the target. The listener does
 * not depend on the link: while there is no session, connections wait, and are reset when the wait is over. What is
 * open or waiting is never touched by new options: they hold for connections from then on.
 */
export class LocalForward {
  #options: LocalForwardOptions;
  readonly #deps: LocalForwardDependencies;
  #listener: Listener | undefined;
  /** All that is here, from its accept until nothing of it is left to deliver. */
  readonly #connections = new Set<AbortController>();
  readonly #idleWaiters = new Set<() => void>();

  constructor(options: LocalForwardOptions, deps: LocalForwardDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  get listening(): boolean {
    return this.#listener !== undefined;
  }

  /** Binds `address`, unless the signal has aborted by the time that it is bound. Rejects with a TunnelError. */
  async listen(address: Address, signal: AbortSignal): Promise<void> {
    const listener = await listen(address, (socket) => this.#accept(socket), this.#deps.onAcceptError);
    if (signal.aborted) await listener.close();
    else this.#listener = listener;
  }

  async stopListening(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close();
  }

  reconfigure(options: LocalForwardOptions): void {
    this.#options = options;
  }

  /** Settles when no connection is open or waiting. */
  whenIdle(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.add(resolve));
  }

  /** Resets every connection, open or waiting. */
  resetAll(): void {
    const reason = new TunnelError('connection_reset', 'the tunnel is stopping');
    for (const controller of this.#connections) controller.abort(reason);
  }

  #accept(socket: Socket): void {
    // From birth: a reset that arrives before the relay owns the socket must not reach the process.
    socket.on('error', () => {});
    // One buffer is read ahead, for nothing but this: a client that resets while it waits is noticed only by reading.
    socket.read(0);
    this.#deps.usage.arrived(new Date());
    void this.#serve(socket);
  }

  async #serve(socket: Socket): Promise<void> {
    const { usage, onOpened, onFailed } = this.#deps;
    const acceptedAt = performance.now();
    const gone = new AbortController();
    const onClose = () => gone.abort(new TunnelError('connection_reset', 'the client went away'));
    socket.once('close', onClose);
    this.#connections.add(gone);
    try {
      const channel = await this.#obtainChannel(originatorOf(socket), gone.signal);
      socket.off('close', onClose);
      onOpened((performance.now() - acceptedAt) / 1000);
      usage.opened(socket);
      await relay(socket, channel, gone.signal);
    } catch (error) {
      usage.failed();
      onFailed(TunnelError.from(error));
      socket.resetAndDestroy();
    } finally {
      socket.off('close', onClose);
      this.#connections.delete(gone);
      if (this.#connections.size === 0) this.#wakeIdleWaiters();
    }
  }

  #wakeIdleWaiters(): void {
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }

  async #obtainChannel(originator: Originator, signal: AbortSignal): Promise<Channel> {
    const { target, whileDown, maxConnections } = this.#options;
    const { source } = this.#deps;
    if (this.#connections.size > maxConnections)
      throw new TunnelError('connection_reset', `more than max_connections (${maxConnections}) connections`, {
        hint: 'Raise max_connections, or find out who opens so many.',
      });
    const holdMs = whileDown.kind === 'hold' ? whileDown.holdMs : REFUSE_RETRY_MS;
    const deadline = performance.now() + holdMs;
    for (;;) {
      if (!source.ready) await this.#hold(whileDown, deadline, signal);
      try {
        return await source.open(target, originator, signal);
      } catch (error) {
        const retry = error instanceof TunnelError && SESSION_LOST.has(error.code) && performance.now() < deadline;
        if (!retry || signal.aborted) throw error;
        // The link learns of a lost session by its own event: give that a turn, never spin.
        await sleep(RETRY_PAUSE_MS, signal);
      }
    }
  }

  async #hold(whileDown: WhileDown, deadline: number, signal: AbortSignal): Promise<void> {
    const { source, usage, onHeld } = this.#deps;
    if (whileDown.kind === 'refuse')
      throw new TunnelError('connection_reset', 'the link is down, and while_down says to refuse');
    if (usage.held >= whileDown.limit)
      throw new TunnelError('connection_reset', `the link is down, and ${whileDown.limit} connections wait already`);
    const since = performance.now();
    const expired = () =>
      new TunnelError('connection_reset', `the link did not come back within ${whileDown.holdMs} ms`);
    try {
      await usage.holding(withDeadline(deadline - since, signal, expired, (bounded) => source.whenReady(bounded)));
    } finally {
      onHeld((performance.now() - since) / 1000);
    }
  }
}

/** RFC 4254 section 7.2 wants the originator; a client on a Unix socket has no address to give. */
function originatorOf(socket: Socket): Originator {
  return { address: socket.remoteAddress ?? '127.0.0.1', port: socket.remotePort ?? 0 };
}
