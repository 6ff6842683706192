import { follow } from '../../base/async/follow.ts';
import { Waiters } from '../../base/async/waiters.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../channel/channel-source.ts';

/** Whichever link a tunnel goes over at the moment of the question: a reload may move it, and who waits moves along. */
export class CurrentLink implements ChannelSource {
  #link: ChannelSource;
  readonly #moved = new Waiters();

  constructor(link: ChannelSource) {
    this.#link = link;
  }

  get ready(): boolean {
    return this.#link.ready;
  }

  move(link: ChannelSource): void {
    if (link === this.#link) return;
    this.#link = link;
    this.#moved.wake();
  }

  async whenReady(signal: AbortSignal): Promise<void> {
    while (!this.ready) {
      signal.throwIfAborted();
      const wait = follow(signal);
      try {
        await Promise.race([this.#link.whenReady(wait.signal), this.#moved.wait(wait.signal)]);
      } finally {
        wait.end();
      }
    }
  }

  open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    return this.#link.open(target, originator, signal);
  }
}
