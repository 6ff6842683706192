import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Channel } from '../../channel/channel-source.ts';
import { type Peeked, peek } from './peek.ts';

const NONCE_BYTES = 32;

/** A test connection of this daemon on its way through the far-side listener. */
export interface Expected {
  /** Its first bytes. */
  readonly nonce: Buffer;
  /** Settles with the far side's end of the connection, recognised by the nonce. */
  readonly arrived: Promise<Channel>;
  /** Stops waiting for the connection. */
  forget(): void;
}

interface Awaited {
  readonly nonce: Buffer;
  readonly arrive: (channel: Channel) => void;
}

/**
 * Recognises our own connections to a far-side listener by a random nonce in their first bytes. Clients are examined
 * only while an own connection is expected. A client that sends other bytes continues at once. A silent client continues
 * when no own connection is expected any more.
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

  /** Whether the unread channel is one of ours. If so, its `arrived` settles. */
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

  /** Fewer own connections are expected: clients are examined again. */
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

/** Compares the common length, in constant time: a wrong guess must not show how much was right. */
function beginsAlike(head: Buffer, nonce: Buffer): boolean {
  const length = Math.min(head.length, nonce.length);
  return timingSafeEqual(head.subarray(0, length), nonce.subarray(0, length));
}
