import type { Channel } from '../forward/channel-source.ts';
import type { Carrier } from './jump.ts';
import type { Held } from './session.ts';

/** The channels of a link that carry sessions to hosts behind its own. */
export class Carriers {
  readonly #carrying = new Map<Channel, Held>();

  /** How many sessions run over this one. */
  on(held: Held): number {
    return [...this.#carrying.values()].filter((other) => other === held).length;
  }

  /** Counts the channel until it closes. `isLeaving` says whether the session under it is on its way out. */
  add(channel: Channel, held: Held, isLeaving: () => boolean): Carrier {
    this.#carrying.set(channel, held);
    const remove = () => this.#carrying.delete(channel);
    channel.stream.once('close', remove);
    void held.session.closed.then(remove);
    return {
      channel,
      get leaving() {
        return isLeaving();
      },
      check: () => held.session.check(),
    };
  }
}
