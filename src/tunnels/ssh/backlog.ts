import type { Duplex } from 'node:stream';

/**
 * Writable high-water mark of a session's transport, in bytes. Large enough to keep a fast link busy until 'drain';
 * small enough that the first packet of a new channel does not wait long.
 */
export const BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * Slows the writers of a session whose transport is full. ssh2 ignores the result of `write()`: each channel could queue
 * a window of 2 MiB in the transport, and the same again in the channel. So while the transport is above its high-water
 * mark, `write()` of every channel returns false, and 'drain' follows. The same holds during a key exchange, while ssh2
 * queues all packets without a limit. The cost is two comparisons for each write.
 */
export class Backlog {
  readonly #transport: Duplex;
  readonly #waiting = new Set<Duplex>();
  readonly #exchanging: () => boolean;
  #relieved: (() => void)[] = [];
  #full = false;

  /** @param exchanging whether a key exchange is running; call {@link exchanged} at its end */
  constructor(transport: Duplex, exchanging: () => boolean) {
    this.#transport = transport;
    this.#exchanging = exchanging;
    onWrite(transport, (more) => {
      if (!more && !this.#full) this.#fill();
      return more;
    });
  }

  /** From now on, the stream of this channel reports the backlog of the transport as its own. */
  govern(stream: Duplex): void {
    onWrite(stream, (more) => {
      if (!this.#full && !this.#exchanging()) return more;
      this.#waiting.add(stream);
      return false;
    });
    stream.once('close', () => this.#waiting.delete(stream));
  }

  /** Whether writers must wait. If so, calls back once, when they need not wait any more. */
  full(relieved: () => void): boolean {
    const full = this.#full || this.#exchanging();
    if (full) this.#relieved.push(relieved);
    return full;
  }

  /** A key exchange is over. */
  exchanged(): void {
    if (!this.#full) this.#relieve();
  }

  #fill(): void {
    this.#full = true;
    this.#transport.once('drain', () => this.#relieve());
  }

  #relieve(): void {
    this.#full = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    // A stream that is full itself returns false again at the next write, and drains later.
    for (const stream of waiting) stream.emit('drain');
    const relieved = this.#relieved;
    this.#relieved = [];
    for (const callBack of relieved) callBack();
  }
}

/** Observes, and may change, the result of `stream.write()`. */
function onWrite(stream: Duplex, returned: (more: boolean) => boolean): void {
  const { write } = stream;
  Object.defineProperty(stream, 'write', {
    configurable: true,
    // net.Socket replaces `write` after the peer has ended.
    writable: true,
    value: (...args: Parameters<Duplex['write']>) => returned(write.apply(stream, args)),
  });
}
