import type { TunnelError } from '../../base/errors.ts';
import type { Address, TcpAddress } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import { Carriers } from './carriers.ts';
import { HedgeBudget, openHedged, patienceMs } from './hedge.ts';
import type { Carrier } from './jump.ts';
import type { Roster } from './roster.ts';
import type { Held } from './session.ts';

interface ChannelsDependencies {
  /** Why no session can open a channel now. */
  absence(): TunnelError;
  /** Two sessions were asked for a channel; `winner` answered first. */
  onRaced(winner: 'first' | 'second'): void;
}

/** No client opens a channel that carries a session: this daemon does. */
const ORIGINATOR: Originator = { address: '127.0.0.1', port: 0 };

/** Opens the channels of a link. A slow session races another session, within a budget. */
export class Channels {
  readonly #roster: Roster;
  readonly #carriers: Carriers;
  readonly #budget = new HedgeBudget();
  readonly #deps: ChannelsDependencies;

  constructor(roster: Roster, deps: ChannelsDependencies) {
    this.#roster = roster;
    this.#carriers = new Carriers(roster);
    this.#deps = deps;
  }

  /** Channels open on any session. */
  get count(): number {
    return this.#roster.all.reduce((sum, { session }) => sum + session.channels, 0);
  }

  /** Opens a channel on the session that serves. Rejects with a TunnelError, or the signal's reason. */
  async open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    return (await this.#open(this.#roster.choose(), target, originator, signal)).channel;
  }

  /** Opens a channel for a session to a host behind this one. Rejects like {@link open}. */
  async carry(target: TcpAddress, signal: AbortSignal): Promise<Carrier> {
    const first = this.#carriers.choose(target);
    const { channel, held } = await this.#open(first, target, ORIGINATOR, signal);
    return this.#carriers.add(channel, target, held);
  }

  /** Another session is up: carried sessions may spread over it. */
  spread(): void {
    this.#carriers.spread();
  }

  async #open(
    first: Held | undefined,
    target: Address,
    originator: Originator,
    signal: AbortSignal,
  ): Promise<{ readonly channel: Channel; readonly held: Held }> {
    if (!first) throw this.#deps.absence();
    this.#budget.opened();
    const receivedBefore = first.session.received;
    let rival = first;
    let held = first;
    const channel = await openHedged(
      {
        first: (withdrawn) => first.session.open(target, originator, withdrawn),
        patienceMs: patienceMs(first.session.rttMs),
        onSlow: () => first.session.check(),
        second: () => {
          const silent = first.session.received === receivedBefore;
          const second = this.#roster.choose(first);
          if (!second || second.session.suspect) return undefined;
          if (!silent && !first.session.suspect && !this.#budget.take()) return undefined;
          rival = second;
          return (withdrawn) => second.session.open(target, originator, withdrawn);
        },
        onRaced: (winner) => {
          if (winner === 'second') held = rival;
          this.#deps.onRaced(winner);
        },
      },
      signal,
    );
    return { channel, held };
  }
}
