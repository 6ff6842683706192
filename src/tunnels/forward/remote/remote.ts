import type { Socket } from 'node:net';
import { Crowd, type Placed } from '../../../base/async/crowd.ts';
import { abortable, withDeadline } from '../../../base/async/deadline.ts';
import { LightSignal, type Signal } from '../../../base/async/signal.ts';
import { Waiters } from '../../../base/async/waiters.ts';
import { TunnelError } from '../../../base/errors.ts';
import { type Address, formatAddress } from '../../../base/net/address.ts';
import type { Channel, ChannelSource } from '../../channel/channel-source.ts';
import type { FarSession, IncomingConnection } from '../../channel/far-side.ts';
import { dialTarget } from '../dial-target.ts';
import type { Forward, ForwardCondition, ForwardDependencies } from '../forward.ts';
import { relay } from '../relay.ts';
import { mayBeLocal, reachableAt } from './address.ts';
import { FarHolder } from './holder.ts';
import { OwnConnections } from './own-connections.ts';
import { openLoop, prove } from './proof.ts';

export interface RemoteForwardOptions {
  readonly host: string;
  readonly actor: string;
  /** On the far side. */
  readonly listen: Address;
  /** As reached from here. */
  readonly target: Address;
  readonly maxConnections: number;
}

export interface RemoteForwardDependencies extends ForwardDependencies {
  /** Sessions that the listener may use now, best first. */
  sessions(): readonly FarSession[];
  /** The far side listens; `gapSeconds`: how long it did not; undefined the first time. */
  onBound(gapSeconds: number | undefined): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The start of a tunnel waits at most this long for the far side's first answer, in milliseconds. */
const SETTLE_MS = 1_000;

/** So many connections more than clients may have are examined: one of them may be ours. */
const OWN_CONNECTIONS = 16;

const NEVER = new AbortController().signal;

/** Resets one connection. */
class Serving extends LightSignal implements Placed {
  place = -1;
}

/**
 * A forward that listens on the far side (ssh(1) `-R`, RFC 4254 section 7): each connection that the server accepts
 * there is joined to a target on this side. While the link is down nothing listens there, so clients are refused and
 * never held. Open connections stay on their session, wherever the listener moves.
 */
export class RemoteForward implements Forward {
  readonly probeSource: ChannelSource;
  #options: RemoteForwardOptions;
  readonly #deps: RemoteForwardDependencies;
  readonly #own = new OwnConnections();
  readonly #serving = new Crowd<Serving>();
  readonly #idle = new Waiters();
  readonly #proven = new Waiters();
  #holder: FarHolder | undefined;
  /** Connections that are being joined to the target. */
  #pending = 0;

  constructor(options: RemoteForwardOptions, deps: RemoteForwardDependencies) {
    this.#options = options;
    this.#deps = deps;
    const isProven = () => this.#holder?.provenOn !== undefined;
    this.probeSource = {
      get ready() {
        return isProven();
      },
      whenReady: (signal) => (isProven() ? Promise.resolve() : this.#proven.wait(signal)),
      open: (target, _, signal) => this.#openThroughListener(target, signal),
    };
  }

  get condition(): ForwardCondition {
    return this.#holder?.condition ?? { kind: 'unbound', error: undefined };
  }

  async start(): Promise<void> {
    const { listen, host } = this.#options;
    const { sessions, onBound, random } = this.#deps;
    this.#holder = new FarHolder(
      { listen, host },
      {
        sessions,
        onConnection: (incoming) => void this.#serve(incoming),
        prove: (session, signal) => prove(session, listen, host, this.#own, signal),
        onChange: () => this.#changed(),
        onBound,
        random,
      },
    );
    const settled = this.#holder.start();
    // A late answer is no failure: the holder continues by itself.
    const late = () => new TunnelError('connection_reset', 'the far side has not answered yet');
    await withDeadline(SETTLE_MS, undefined, late, (bounded) => abortable(settled, bounded)).catch(() => {});
  }

  retry(): void {
    this.#holder?.retry();
  }

  async stopAccepting(): Promise<void> {
    const holder = this.#holder;
    this.#holder = undefined;
    await holder?.stop();
  }

  linkChanged(): void {
    this.#holder?.sessionsChanged();
  }

  /** `serve`: whether a moved listener is bound at its new address. */
  async reconfigure(options: RemoteForwardOptions, serve = true): Promise<void> {
    const place = ({ host, actor, listen }: RemoteForwardOptions) => `${actor}@${host} ${formatAddress(listen)}`;
    const moved = place(options) !== place(this.#options);
    this.#options = options;
    if (!moved) return;
    await this.stopAccepting();
    if (serve) await this.start();
  }

  whenIdle(): Promise<void> {
    return this.#serving.size === 0 ? Promise.resolve() : this.#idle.wait(NEVER);
  }

  resetAll(): void {
    const reason = new TunnelError('connection_reset', 'the tunnel is stopping');
    for (const cut of this.#serving) cut.abort(reason);
  }

  #changed(): void {
    if (this.probeSource.ready) this.#proven.wake();
    this.#deps.onChange();
  }

  async #serve(incoming: IncomingConnection): Promise<void> {
    const cut = new Serving();
    this.#serving.add(cut);
    try {
      const room = this.#serving.size <= this.#options.maxConnections + OWN_CONNECTIONS;
      const mayBeOurs = room && this.#own.pending && mayBeLocal(incoming.originator, this.#options.listen);
      const accepted = mayBeOurs ? incoming.accept() : undefined;
      cut.addEventListener('abort', () => accepted?.close());
      if (accepted && (await this.#own.claim(accepted))) return;
      await this.#serveClient(incoming, accepted, cut);
    } catch {
      // The session was lost before the connection could be recognised.
      incoming.reject();
    } finally {
      this.#serving.remove(cut);
      if (this.#serving.size === 0) this.#idle.wake();
    }
  }

  async #serveClient(incoming: IncomingConnection, accepted: Channel | undefined, cut: Serving): Promise<void> {
    const { usage, onOpened, onFailed } = this.#deps;
    const arrivedAt = performance.now();
    usage.arrived(new Date());
    accepted?.onLost(() => cut.abort(new TunnelError('connection_reset', 'the SSH session was lost')));
    let channel = accepted;
    let socket: Socket | undefined;
    this.#pending++;
    try {
      this.#admit();
      socket = await usage.waiting(dialTarget(this.#options.target, cut));
      channel ??= incoming.accept();
    } catch (thrown) {
      usage.failed();
      onFailed(TunnelError.from(thrown));
      socket?.destroy();
      channel?.close();
      incoming.reject();
      return;
    } finally {
      this.#pending--;
    }
    onOpened((performance.now() - arrivedAt) / 1000);
    usage.opened(socket, 'target');
    await relay(socket, channel, cut);
  }

  #admit(): void {
    const { maxConnections } = this.#options;
    if (this.#deps.usage.open + this.#pending > maxConnections)
      throw new TunnelError('connection_reset', `more than max_connections (${maxConnections}) connections`, {
        hint: 'Raise max_connections, or find the client on the host that opens so many.',
      });
  }

  /** Uses the route of a client: to the far-side listener, back here, and to the target. Does not count as use. */
  async #openThroughListener(target: Address, signal: Signal): Promise<Channel> {
    const session = this.#holder?.provenOn;
    const { listen, host } = this.#options;
    if (!session)
      throw new TunnelError(
        'connection_reset',
        `the listener on ${formatAddress(listen)} on ${host} is not proven yet`,
      );
    const { near, back } = await openLoop(session, reachableAt(listen), this.#own, signal);
    try {
      const socket = await dialTarget(target, signal);
      // After the probe closed its end, the connection to the target is not needed.
      near.stream.once('close', () => socket.destroy());
      void relay(socket, back, NEVER);
      return near;
    } catch (error) {
      near.close();
      back.close();
      throw error;
    }
  }
}
