import type { Duplex } from 'node:stream';

/**
 * Writable high-water mark of a session's transport, in bytes. At 'drain' the buffer of the kernel is still full, so more
 * would not keep a link busier. Less lets the first packet of a new channel go sooner, and stays in the processor's caches.
 */
export const BACKLOG_BYTES = 1024 * 1024;

/**
 * Slows the writers of a session whose transport is full. ssh2 ignores the result of `write()`: each channel could queue
 * a window of 2 MiB in the transport, and the same again in the channel. So while the transport is above its high-water
 * mark, `write()` of every channel returns false, and 'drain' follows. The cost is one comparison for each write.
 */
export class Backlog {
  readonly #transport: Duplex;
  readonly #waiting = new Set<Duplex>();
  #relieved: (() => void)[] = [];
  #full = false;
  #held = false;

  constructor(transport: Duplex) {
    this.#transport = transport;
    onWrite(transport, (more) => {
      if (!more && !this.#full) this.#fill();
      return more;
    });
  }

  /** From now on, the stream of this channel reports the backlog of the transport as its own. */
  govern(stream: Duplex): void {
    onWrite(stream, (more) => {
      if (!this.#full && !this.#held) return more;
      this.#waiting.add(stream);
      return false;
    });
    stream.once('close', () => this.#waiting.delete(stream));
  }

  /** Slows the writers as if the transport were full: during a key exchange, ssh2 keeps all data in memory. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held && !this.#full) this.#relieve();
  }

  /** Whether the transport is full. If so, calls back once, when the transport is no longer full. */
  full(relieved: () => void): boolean {
    const full = this.#full || this.#held;
    if (full) this.#relieved.push(relieved);
    return full;
  }

  #fill(): void {
    this.#full = true;
    this.#transport.once('drain', () => this.#relieve());
  }

  #relieve(): void {
    this.#full = false;
    if (this.#held) return;
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
