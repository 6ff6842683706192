import { Crowd } from '../../base/async/crowd.ts';
import type { SessionChannel } from './channel.ts';

/** The channels of one session that are open or being opened, and for how long there has been none. */
export class OpenChannels {
  readonly #open = new Crowd<SessionChannel>();
  #emptySince = performance.now();

  get size(): number {
    return this.#open.size;
  }

  /** For how long there has been no channel, in milliseconds; undefined while there is one. */
  get idleMs(): number | undefined {
    return this.#open.size === 0 ? performance.now() - this.#emptySince : undefined;
  }

  add(channel: SessionChannel): void {
    this.#open.add(channel);
  }

  remove(channel: SessionChannel): void {
    if (this.#open.remove(channel) && this.#open.size === 0) this.#emptySince = performance.now();
  }

  /** The session is gone: each channel is lost. */
  lose(): void {
    for (const channel of this.#open) {
      channel.lose();
      this.#open.remove(channel);
    }
  }
}
