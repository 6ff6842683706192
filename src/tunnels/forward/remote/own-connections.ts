import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Channel } from '../../channel/channel-source.ts';
import { type Peeked, peek } from './peek.ts';

const NONCE_BYTES = 32;

/** A connection of our own that is on its way through the far side's listener. */
export interface Expected {
  /** What it begins with. */
  readonly nonce: Buffer;
  /** Settles with the far side's end of it: whoever shows the nonce is the one who was given it. */
  readonly arrived: Promise<Channel>;
  /** It is not awaited any more. */
  forget(): void;
}

interface Awaited {
  readonly nonce: Buffer;
  readonly arrive: (channel: Channel) => void;
}

/**
 * Tells our own connections to a far-side listener from clients' by a random nonce at their beginning. Only while one
 * is awaited is anybody looked at, and a client that sends anything else, or speaks second, goes on as soon as that is
 * known or nobody is awaited any more.
 */
export class OwnConnections {
  readonly #awaited = new Set<Awaited>();
  readonly #again = new Set<() => void>();

  /** Whether an incoming connection may be one of ours. */
  get pending(): boolean {
    return this.#awaited.size > 0;
  }

  expect(): Expected {
    const nonce = randomBytes(NONCE_BYTES);
    let entry: Awaited | undefined;
    const forget = () => {
      if (entry !== undefined && this.#awaited.delete(entry)) this.#lookAgain();
    };
    const arrived = new Promise<Channel>((resolve) => {
      entry = { nonce, arrive: resolve };
      this.#awaited.add(entry);
    });
    return { nonce, arrived, forget };
  }

  /** Whether the channel, which nobody has read from, is one of ours: then it is handed to whoever expects it. */
  async claim(channel: Channel): Promise<boolean> {
    const subscribe = (again: () => void) => {
      this.#again.add(again);
      return () => this.#again.delete(again);
    };
    const own = await peek(channel.stream, (head, ended) => this.#decide(head, ended), subscribe);
    if (own === undefined) return false;
    own.arrive(channel);
    this.#lookAgain();
    return true;
  }

  /** Somebody is not awaited any more: others need not be looked at. */
  #lookAgain(): void {
    for (const again of [...this.#again]) again();
  }

  #decide(head: Buffer, ended: boolean): Peeked<Awaited | undefined> | undefined {
    const candidates = [...this.#awaited].filter(({ nonce }) => beginsAlike(head, nonce));
    const own = head.length >= NONCE_BYTES ? candidates[0] : undefined;
    if (own === undefined) return candidates.length > 0 && !ended ? undefined : { verdict: undefined, taken: 0 };
    this.#awaited.delete(own);
    return { verdict: own, taken: NONCE_BYTES };
  }
}

/** As far as both go. In constant time: how far a guess was right shall not show. */
function beginsAlike(head: Buffer, nonce: Buffer): boolean {
  const length = Math.min(head.length, nonce.length);
  return timingSafeEqual(head.subarray(0, length), nonce.subarray(0, length));
}
