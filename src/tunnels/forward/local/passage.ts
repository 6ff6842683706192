import type { Socket } from 'node:net';
import type { Placed } from '../../../base/async/crowd.ts';
import { withDeadline } from '../../../base/async/deadline.ts';
import { LightSignal, type Signal } from '../../../base/async/signal.ts';
import { sleep } from '../../../base/async/sleep.ts';
import { isSessionLoss, TunnelError } from '../../../base/errors.ts';
import type { Address } from '../../../base/net/address.ts';
import { readShared } from '../../../base/net/read-in-place.ts';
import type { WhileDown } from '../../../config/config.ts';
import type { Channel, Originator } from '../../channel/channel-source.ts';
import type { ForwardDependencies } from '../forward.ts';
import type { Detour, Junction } from '../junction.ts';
import { relay } from '../relay.ts';
import { resetClient } from '../reset.ts';
import type { Usage } from '../usage.ts';
import type { Negotiate, Negotiation } from './negotiate.ts';
import { judge, stays } from './trial.ts';
import { hasGone, type WaitingClient, type WaitingClients } from './waiting-clients.ts';

export interface PassageOptions {
  readonly listen: Address;
  readonly negotiate: Negotiate;
  readonly whileDown: WhileDown;
}

export interface PassageDependencies extends Pick<ForwardDependencies, 'source' | 'usage' | 'onOpened' | 'onFailed'> {
  readonly junction: Junction;
  readonly waitingClients: WaitingClients;
  /** Throws a TunnelError above `max_connections`. */
  admit(): void;
}

/**
 * With `refuse` no client waits for a link. When a session is lost, other sessions are tried for this long.
 */
const REFUSE_RETRY_MS = 1_000;

const RETRY_PAUSE_MS = 10;

/** A successor on trial must take a client within this time, in milliseconds. Then the client uses the tunnel. */
const TRIAL_MS = 1_000;

/** One client's connection, from its accept to its last byte. */
export class Passage implements Placed {
  place = -1;
  readonly #socket: Socket;
  readonly #options: PassageOptions;
  readonly #deps: PassageDependencies;
  readonly #acceptedAt = performance.now();
  /** Aborts to reset the client, waiting or open. */
  readonly #cut = new LightSignal();
  /** Undefined: through the tunnel, perhaps after a wait. */
  #detour: Detour | undefined;
  #negotiation: Negotiation | undefined;
  /** Whether the client waits for a link or at the junction. */
  #held = false;
  readonly #waiting: WaitingClient;
  /** Tells the junction that the client has left the tunnel. */
  #leave: (() => void) | undefined;

  constructor(socket: Socket, options: PassageOptions, deps: PassageDependencies) {
    this.#socket = socket;
    this.#options = options;
    this.#deps = deps;
    const { whileDown } = options;
    this.#waiting = {
      place: -1,
      socket,
      resets: options.listen.kind === 'tcp',
      leavesByClosing: () => this.#held && whileDown.kind === 'hold' && whileDown.abortOnClose,
    };
    // From the start: a reset before the relay owns the socket must not end the process.
    socket.on('error', () => {});
    readShared(socket);
    // Reads one buffer ahead: only a read notices a client that resets while it waits.
    socket.read(0);
    const { junction, usage } = deps;
    // A held client may still go through the tunnel, so it counts as use of the tunnel.
    (junction.detour?.usage ?? usage).arrived(new Date());
  }

  /** Resets the client. */
  cut(reason: TunnelError): void {
    this.#cut.abort(reason);
  }

  /** Settles at the end of the connection. Never rejects. */
  async run(): Promise<void> {
    const { onOpened, onFailed } = this.#deps;
    try {
      const channel = await this.#whilePending();
      if (!this.#detour) onOpened((performance.now() - this.#acceptedAt) / 1000);
      this.#negotiation?.granted();
      this.#usage.opened(this.#socket);
      if (this.#detour?.kind === 'trial') judge(channel.stream, this.#socket, this.#detour);
      await relay(this.#socket, channel, this.#cut);
    } catch (thrown) {
      const error = TunnelError.from(thrown);
      this.#usage.failed();
      if (!this.#socket.destroyed && !this.#detour) onFailed(error);
      this.#negotiation?.refused(error);
      if (!this.#socket.writableEnded) resetClient(this.#socket);
    } finally {
      this.#leave?.();
    }
  }

  /** The usage of the client's route. */
  get #usage(): Usage {
    return this.#detour?.usage ?? this.#deps.usage;
  }

  async #whilePending(): Promise<Channel> {
    const onClose = () => this.#cut.abort(clientGone());
    this.#socket.once('close', onClose);
    const unwatch = this.#deps.waitingClients.watch(this.#waiting);
    try {
      this.#deps.admit();
      return await this.#openChannel();
    } finally {
      unwatch();
      this.#socket.off('close', onClose);
    }
  }

  /** Holds the client, counted, while `wait` is pending. Afterwards the client is still there, else this rejects. */
  async #hold(wait: Promise<void>): Promise<void> {
    this.#held = true;
    try {
      await this.#deps.usage.holding(wait);
      // Perhaps since the last look: the request of a client that has gone must not reach the target.
      if (hasGone(this.#waiting)) throw clientGone();
    } finally {
      this.#held = false;
    }
  }

  #openChannel(): Promise<Channel> {
    const { junction } = this.#deps;
    return junction.holding || junction.detour ? this.#openAtJunction() : this.#enterTunnel();
  }

  async #openAtJunction(): Promise<Channel> {
    const { junction, usage } = this.#deps;
    if (junction.holding) await usage.waiting(this.#hold(junction.whenReleased(this.#cut)));
    this.#detour = junction.detour;
    if (this.#detour) {
      const diverted = await this.#divert(this.#detour);
      if (diverted) return diverted;
      this.#detour = undefined;
      usage.arrived(new Date());
    }
    return this.#enterTunnel();
  }

  async #enterTunnel(): Promise<Channel> {
    const { junction, usage } = this.#deps;
    this.#leave = junction.enter();
    usage.beginWait();
    try {
      const negotiation = this.#options.negotiate(this.#socket, this.#cut);
      this.#negotiation = negotiation instanceof Promise ? await negotiation : negotiation;
      return await this.#openThroughTunnel(this.#negotiation.target);
    } finally {
      usage.endWait();
    }
  }

  /** Undefined when the successor on trial rejects the client: then the client goes through the tunnel. */
  async #divert(detour: Detour): Promise<Channel | undefined> {
    const signal = this.#cut;
    const open = (bounded: Signal) => detour.source.open(detour.target, originatorOf(this.#socket), bounded);
    if (detour.kind === 'committed') return open(signal);
    const expired = () => new TunnelError('target_unreachable', `no answer within ${TRIAL_MS} ms`);
    try {
      const channel = await withDeadline(TRIAL_MS, signal, expired, open);
      await stays(channel.stream, signal).catch((error: unknown) => {
        channel.close();
        throw error;
      });
      return channel;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      detour.onTaken(TunnelError.from(thrown));
      return undefined;
    }
  }

  async #openThroughTunnel(target: Address): Promise<Channel> {
    const { source } = this.#deps;
    const { whileDown } = this.#options;
    const signal = this.#cut;
    const holdMs = whileDown.kind === 'hold' ? whileDown.holdMs : REFUSE_RETRY_MS;
    const deadline = performance.now() + holdMs;
    for (;;) {
      if (!source.ready) await this.#waitForLink(deadline);
      try {
        return await source.open(target, originatorOf(this.#socket), signal);
      } catch (error) {
        const retry = isSessionLoss(error) && performance.now() < deadline;
        if (!retry || signal.aborted) throw error;
        // The link hears of a lost session by an event: the pause lets that event run.
        await sleep(RETRY_PAUSE_MS, signal);
      }
    }
  }

  async #waitForLink(deadline: number): Promise<void> {
    const { source, usage } = this.#deps;
    const { whileDown } = this.#options;
    const signal = this.#cut;
    if (whileDown.kind === 'refuse')
      throw new TunnelError('connection_reset', 'the link is down, and the tunnel has while_down: refuse');
    if (usage.held >= whileDown.limit)
      throw new TunnelError(
        'connection_reset',
        `the link is down, and ${whileDown.limit} connections already wait (the limit)`,
      );
    const leftMs = deadline - performance.now();
    const expired = () => new TunnelError('connection_reset', `the link did not come up within ${whileDown.holdMs} ms`);
    await this.#hold(withDeadline(leftMs, signal, expired, (bounded) => source.whenReady(bounded)));
  }
}

function clientGone(): TunnelError {
  return new TunnelError('connection_reset', 'the client closed the connection');
}

/** RFC 4254 section 7.2 requires an originator address; a client on a Unix socket has none. */
function originatorOf(socket: Socket): Originator {
  return { address: socket.remoteAddress ?? '127.0.0.1', port: socket.remotePort ?? 0 };
}
