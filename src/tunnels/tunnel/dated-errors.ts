import type { Channel, ChannelSource } from '../channel/channel-source.ts';

/** Knows the errors of channels that were requested before the tunnel got another target or host. */
export class DatedErrors {
  #epoch = 0;
  readonly #outdated = new WeakSet<object>();

  /** Another target, host or login is configured: the errors of earlier requests say nothing about that. */
  begin(): void {
    this.#epoch++;
  }

  isOutdated(error: object): boolean {
    return this.#outdated.has(error);
  }

  /** The same source, with the errors dated. */
  watch(source: ChannelSource): ChannelSource {
    const dated = (opening: Promise<Channel>) => {
      const epoch = this.#epoch;
      return opening.catch((error: unknown) => {
        if (epoch !== this.#epoch && error instanceof Error) this.#outdated.add(error);
        throw error;
      });
    };
    return {
      get ready() {
        return source.ready;
      },
      whenReady: (signal) => source.whenReady(signal),
      open: (target, originator, signal) => dated(source.open(target, originator, signal)),
    };
  }
}
