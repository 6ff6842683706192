import type { Socket } from 'node:net';
import { withDeadline } from '../../../base/async/deadline.ts';
import { sleep } from '../../../base/async/sleep.ts';
import { isSessionLoss, TunnelError } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';
import type { Listen, Listener } from '../../../base/net/listener.ts';
import type { WhileDown } from '../../../config/config.ts';
import type { Channel, Originator } from '../../channel/channel-source.ts';
import type { Forward, ForwardCondition, ForwardDependencies } from '../forward.ts';
import { type Detour, Junction } from '../junction.ts';
import { relay } from '../relay.ts';
import { resetClient } from '../reset.ts';
import type { Negotiate, Negotiation } from './negotiate.ts';

export interface ListenForwardOptions {
  readonly listen: Address;
  readonly negotiate: Negotiate;
  readonly whileDown: WhileDown;
  readonly maxConnections: number;
}

export interface ListenForwardDependencies extends ForwardDependencies {
  /** How the listener is made. */
  readonly listen: Listen;
}

/** With `refuse` nobody waits for a link, but an open that a lost session swallowed may be tried on another for this long. */
const REFUSE_RETRY_MS = 1_000;

const RETRY_PAUSE_MS = 10;

/** Where the tunnel is there as well, a detour has this long to take a client, in milliseconds. */
const DETOUR_MS = 1_000;

/** An address that cannot be bound is tried again this often, in milliseconds. */
const RETRY_LISTEN_MS = 5_000;

/**
 * A forward that listens on this machine (ssh(1) `-L` and `-D`): accepts here, and joins each connection to a channel to
 * its target. The listener does not depend on the link: while there is no session, connections wait, and are reset when
 * the wait is over. What is open or waiting is never touched by new options: they hold for connections from then on.
 */
export class ListenForward implements Forward {
  #options: ListenForwardOptions;
  readonly #deps: ListenForwardDependencies;
  readonly #junction: Junction;
  #listener: Listener | undefined;
  #listenError: TunnelError | undefined;
  #binding = new AbortController();
  /** Every connection from its accept until nothing of it is left to deliver; aborting one resets it. */
  readonly #serving = new Set<AbortController>();
  readonly #idleWaiters = new Set<() => void>();

  constructor(options: ListenForwardOptions, deps: ListenForwardDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#junction = deps.junction ?? new Junction();
  }

  get condition(): ForwardCondition {
    if (this.#listener) return { kind: 'serving', listenBy: this.#listener.by };
    return { kind: 'unbound', error: this.#listenError };
  }

  /** Binds the address; when that fails, goes on trying in the background until it works. */
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

  /** `serve`: whether a moved listener is bound at its new place. */
  async reconfigure(options: ListenForwardOptions, serve = true): Promise<void> {
    const moved = formatAddress(options.listen) !== formatAddress(this.#options.listen);
    this.#options = options;
    if (!moved) return;
    await this.stopAccepting();
    if (serve) await this.start();
  }

  /** Settles when no connection is open or waiting. */
  whenIdle(): Promise<void> {
    if (this.#serving.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.add(resolve));
  }

  /** Resets every connection, open or waiting. */
  resetAll(): void {
    const reason = new TunnelError('connection_reset', 'the tunnel is stopping');
    for (const controller of this.#serving) controller.abort(reason);
  }

  async #bind(signal: AbortSignal): Promise<boolean> {
    try {
      const { listen: address } = this.#options;
      const listener = await this.#deps.listen(address, (socket) => this.#accept(socket), this.#deps.onAcceptError);
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

  #accept(socket: Socket): void {
    // From birth: a reset that arrives before the relay owns the socket must not reach the process.
    socket.on('error', () => {});
    // One buffer is read ahead, for nothing but this: a client that resets while it waits is noticed only by reading.
    socket.read(0);
    // Whoever is held may yet go through the tunnel: what is not proved counts as use of it.
    (this.#wayNow?.usage ?? this.#deps.usage).arrived(new Date());
    void this.#serve(socket);
  }

  /** Undefined: through the tunnel, be it after a wait. */
  get #wayNow(): Detour | undefined {
    return this.#junction.holding ? undefined : this.#junction.detour;
  }

  async #serve(socket: Socket): Promise<void> {
    const { usage, onOpened, onFailed } = this.#deps;
    const acceptedAt = performance.now();
    const cut = new AbortController();
    this.#serving.add(cut);
    let negotiation: Negotiation | undefined;
    let leave: (() => void) | undefined;
    let detour: Detour | undefined;
    try {
      const channel = await this.#whilePending(socket, cut, async () => {
        if (this.#junction.holding) await this.#waitForPassage(cut.signal);
        detour = this.#junction.detour;
        if (detour) {
          const diverted = await this.#divert(detour, originatorOf(socket), cut.signal);
          if (diverted) return diverted;
          detour = undefined;
          usage.arrived(new Date());
        }
        leave = this.#junction.enter();
        const { negotiate, whileDown } = this.#options;
        negotiation = await negotiate(socket, cut.signal);
        return this.#obtainChannel(negotiation.target, whileDown, originatorOf(socket), cut.signal);
      });
      if (!detour) onOpened((performance.now() - acceptedAt) / 1000);
      negotiation?.granted();
      (detour?.usage ?? usage).opened(socket);
      await relay(socket, channel, cut.signal);
    } catch (thrown) {
      const error = TunnelError.from(thrown);
      (detour?.usage ?? usage).failed();
      if (!socket.destroyed && !detour) onFailed(error);
      negotiation?.refused(error);
      if (!socket.writableEnded) resetClient(socket);
    } finally {
      leave?.();
      this.#serving.delete(cut);
      if (this.#serving.size === 0) this.#wakeIdleWaiters();
    }
  }

  async #waitForPassage(signal: AbortSignal): Promise<void> {
    const { usage, onHeld } = this.#deps;
    const since = performance.now();
    try {
      await usage.holding(this.#junction.passage(signal));
    } finally {
      onHeld((performance.now() - since) / 1000);
    }
  }

  /** Undefined where the detour does not take the client and the tunnel shall. */
  async #divert(detour: Detour, originator: Originator, signal: AbortSignal): Promise<Channel | undefined> {
    try {
      const channel = await this.#openDetour(detour, originator, signal);
      detour.onTaken(undefined);
      return channel;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      detour.onTaken(TunnelError.from(thrown));
      if (detour.otherwise === 'reset') throw thrown;
      return undefined;
    }
  }

  #openDetour({ source, target, otherwise }: Detour, originator: Originator, signal: AbortSignal): Promise<Channel> {
    if (otherwise === 'reset') return source.open(target, originator, signal);
    const expired = () => new TunnelError('target_unreachable', `no answer within ${DETOUR_MS} ms`);
    return withDeadline(DETOUR_MS, signal, expired, (bounded) => source.open(target, originator, bounded));
  }

  async #whilePending(socket: Socket, cut: AbortController, task: () => Promise<Channel>): Promise<Channel> {
    const onClose = () => cut.abort(new TunnelError('connection_reset', 'the client went away'));
    socket.once('close', onClose);
    try {
      this.#admit();
      return await task();
    } finally {
      socket.off('close', onClose);
    }
  }

  #wakeIdleWaiters(): void {
    for (const resolve of this.#idleWaiters) resolve();
    this.#idleWaiters.clear();
  }

  #admit(): void {
    const { maxConnections } = this.#options;
    if (this.#serving.size > maxConnections)
      throw new TunnelError('connection_reset', `more than max_connections (${maxConnections}) connections`, {
        hint: 'Raise max_connections, or find out who opens so many.',
      });
  }

  async #obtainChannel(
    target: Address,
    whileDown: WhileDown,
    originator: Originator,
    signal: AbortSignal,
  ): Promise<Channel> {
    const { source } = this.#deps;
    const holdMs = whileDown.kind === 'hold' ? whileDown.holdMs : REFUSE_RETRY_MS;
    const deadline = performance.now() + holdMs;
    for (;;) {
      if (!source.ready) await this.#hold(whileDown, deadline, signal);
      try {
        return await source.open(target, originator, signal);
      } catch (error) {
        const retry = isSessionLoss(error) && performance.now() < deadline;
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
