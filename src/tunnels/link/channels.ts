import { withDeadline } from '../../base/async/deadline.ts';
import type { Signal } from '../../base/async/signal.ts';
import { SessionFull, TunnelError } from '../../base/errors.ts';
import type { Address, TcpAddress } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import { Answering } from './answering.ts';
import { Carriers } from './carriers.ts';
import { openHedged } from './hedge.ts';
import type { Carrier } from './jump.ts';
import { Names, type Turn } from './names.ts';
import type { Roster } from './roster.ts';
import type { Held, LinkSession } from './session.ts';

interface ChannelsDependencies {
  /** The bound of the wait for a session that answers, and of the wait for a turn, in milliseconds. */
  waitMs(): number;
  /** Why no session can open a channel now. */
  absence(): TunnelError;
  /** Several sessions were asked for a channel; `winner`: the first one, or another one. */
  onRaced(winner: 'first' | 'second'): void;
  /** An open found no session that answers. */
  onSilence(): void;
}

/** See {@link LinkSession.open}. */
type OnPassed = NonNullable<Parameters<LinkSession['open']>[3]>;

/** One open, on whichever session. */
interface Open {
  readonly target: Address;
  /** See {@link hostOf}. */
  readonly host: string | undefined;
  readonly originator: Originator;
  readonly signal: Signal;
  /** Called with the session that is asked, and again with the one that has answered first. */
  readonly onHeld: ((held: Held) => void) | undefined;
}

/** No client opens a channel that carries a session: this daemon does. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/**
 * Opens the channels of a link. Another session is asked as well when the first one answers neither the open nor a
 * keepalive, and the order of packets does not convict the open itself.
 */
export class Channels {
  readonly #roster: Roster;
  readonly #carriers: Carriers;
  readonly #answering: Answering;
  readonly #names: Names;
  readonly #deps: ChannelsDependencies;

  /** The session for an open of a client, whose name takes turns or not. */
  readonly #choose = (turn: Turn | undefined) =>
    turn && !turn.proven ? this.#roster.chooseSpare() : this.#roster.choose();

  constructor(roster: Roster, deps: ChannelsDependencies) {
    this.#roster = roster;
    this.#carriers = new Carriers(roster);
    this.#answering = new Answering(roster, deps);
    this.#names = new Names(() => roster.all.flatMap(({ session }) => session.frozenBy ?? []));
    this.#deps = deps;
  }

  /** Channels open on any session. */
  get count(): number {
    return this.#roster.all.reduce((sum, { session }) => sum + session.channels, 0);
  }

  /** Opens a channel on the session that serves. Rejects with a TunnelError, or the signal's reason. */
  open(target: Address, originator: Originator, signal: Signal): Promise<Channel> {
    return this.#open(this.#choose, target, originator, signal);
  }

  /** Opens a channel for a session to a host behind this one. Rejects like {@link open}. */
  async carry(target: TcpAddress, signal: Signal): Promise<Carrier> {
    const choose = () => this.#carriers.choose(target);
    let held: Held | undefined;
    const channel = await this.#open(choose, target, ORIGINATOR, signal, (on) => {
      held = on;
    });
    if (!held) throw this.#deps.absence();
    return this.#carriers.add(channel, target, held);
  }

  /** Another session is up: carried sessions may spread over it. */
  spread(): void {
    this.#carriers.spread();
  }

  async #open(
    choose: (turn: Turn | undefined) => Held | undefined,
    target: Address,
    originator: Originator,
    signal: Signal,
    onHeld?: (held: Held) => void,
  ): Promise<Channel> {
    if (!choose(undefined)) throw this.#deps.absence();
    const host = hostOf(target);
    const turn = host !== undefined && this.#names.mayFreeze(host) ? await this.#turn(host, signal) : undefined;
    let first: Held;
    try {
      const found = this.#answering.find(() => choose(turn), signal);
      first = found instanceof Promise ? await found : found;
    } catch (error) {
      turn?.passed(false);
      throw error;
    }
    this.#answering.sent();
    const asked = [first];
    const open = { target, host, originator, signal, onHeld };
    try {
      return await this.#race(first, asked, turn?.passed, open);
    } catch (error) {
      const roomy = error instanceof SessionFull ? this.#roomier(asked, host) : undefined;
      if (!roomy) throw error;
      asked.push(roomy);
      return this.#race(roomy, asked, this.#again(host), open);
    }
  }

  /** Opens on `first`, and on further sessions than `asked` while the answer is late. */
  #race(first: Held, asked: Held[], passed: OnPassed | undefined, open: Open): Promise<Channel> {
    const { target, host, originator, signal, onHeld } = open;
    const racers = [first];
    onHeld?.(first);
    return openHedged(
      {
        first: (withdrawn) => first.session.open(target, originator, withdrawn, passed),
        patienceMs: first.session.patienceMs,
        onSlow: () => this.#check(),
        next: () => {
          const next = this.#next(asked, host);
          if (!next) return undefined;
          asked.push(next);
          racers.push(next);
          const again = this.#again(host);
          return (withdrawn) => next.session.open(target, originator, withdrawn, again);
        },
        onRaced: (winner) => {
          onHeld?.(racers[winner] ?? first);
          this.#deps.onRaced(winner === 0 ? 'first' : 'second');
        },
      },
      signal,
    );
  }

  /** What guards a further open to a host that may be a name. */
  #again(host: string | undefined): OnPassed | undefined {
    return host === undefined ? undefined : this.#names.begin(host).passed;
  }

  /** Another session, for an open that the server could not try: sshd has a limit of descriptors for each session. */
  #roomier(asked: readonly Held[], host: string | undefined): Held | undefined {
    if (host !== undefined && !this.#names.mayRepeat(host)) return undefined;
    const next = this.#roster.choose(asked);
    return next && !next.session.suspect ? next : undefined;
  }

  /** All sessions: what has struck one may have struck the others. */
  #check(): void {
    for (const { session } of this.#roster.all) session.check();
  }

  /** Another session for an open without an answer; undefined while a session answers, or if the open is the cause. */
  #next(asked: readonly Held[], host: string | undefined): Held | undefined {
    const answering = asked.filter(({ session }) => !session.suspect);
    if (answering.length > 0) {
      // The target may be slow. The session may die meanwhile.
      for (const { session } of answering) session.check();
      return undefined;
    }
    const convicted = asked.some(({ session }) => host !== undefined && session.frozenBy === host);
    if (convicted || (host !== undefined && !this.#names.mayRepeat(host))) return undefined;
    const next = this.#roster.choose(asked);
    if (next && !next.session.suspect) return next;
    this.#deps.onSilence();
    return undefined;
  }

  #turn(host: string, signal: Signal): Promise<Turn> {
    const expired = () =>
      new TunnelError('target_unreachable', `the open to ${host} had no turn: another name has frozen an SSH session`, {
        hint: 'sshd resolves names one at a time. Check the resolver of the host, or use an address.',
      });
    return withDeadline(this.#deps.waitMs(), signal, expired, (bounded) => this.#names.enter(host, bounded));
  }
}

/** The host that the server must find, in lower case; undefined for a Unix socket. */
function hostOf(target: Address): string | undefined {
  return target.kind === 'tcp' ? target.host.toLowerCase() : undefined;
}
