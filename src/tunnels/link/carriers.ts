import { isDeepStrictEqual } from 'node:util';
import type { TcpAddress } from '../../base/net/address.ts';
import type { Channel } from '../channel/channel-source.ts';
import type { Carrier } from './jump.ts';
import type { Roster } from './roster.ts';
import type { Held } from './session.ts';

interface Carrying {
  readonly held: Held;
  readonly target: TcpAddress;
  /** The carried session must move to another session of this link. */
  moving: boolean;
}

/** The channels of a link that carry sessions to hosts behind the link's host. */
export class Carriers {
  readonly #roster: Roster;
  /** Oldest first. */
  readonly #carrying = new Map<Channel, Carrying>();

  constructor(roster: Roster) {
    this.#roster = roster;
  }

  /** The session that carries the next session to `target`. */
  choose(target: TcpAddress): Held | undefined {
    return this.#roster.chooseCarrier((held) => this.#load(held, target));
  }

  /** Counts the channel until it closes. */
  add(channel: Channel, target: TcpAddress, held: Held): Carrier {
    const roster = this.#roster;
    const carrying: Carrying = { held, target, moving: false };
    this.#carrying.set(channel, carrying);
    // A session that moved may have hidden one that must move as well.
    const remove = () => {
      this.#carrying.delete(channel);
      this.spread();
    };
    channel.stream.once('close', remove);
    void held.session.closed.then(remove);
    // Another session may have come while the channel was being opened.
    this.spread();
    return {
      channel,
      get leaving() {
        return carrying.moving || roster.isReplaced(held);
      },
      check: () => held.session.check(),
    };
  }

  /**
   * Spreads the sessions of a link behind this one. While this link had one session, that session carried all of them.
   * When another session carries none of them, the youngest moves there.
   */
  spread(): void {
    const usable = this.#roster.carriers;
    const seen: Carrying[] = [];
    for (const each of this.#carrying.values()) {
      const sameTarget = seen.filter(({ target }) => isDeepStrictEqual(target, each.target));
      const crowded = sameTarget.some(({ held }) => held === each.held);
      const free = usable.filter((held) => this.#load(held, each.target).toTarget === 0);
      if (crowded && sameTarget.filter(({ moving }) => moving).length < free.length) each.moving = true;
      seen.push(each);
    }
  }

  #load(held: Held, target: TcpAddress): { readonly toTarget: number; readonly all: number } {
    const all = [...this.#carrying.values()].filter((each) => each.held === held);
    return { toTarget: all.filter((each) => isDeepStrictEqual(each.target, target)).length, all: all.length };
  }
}
