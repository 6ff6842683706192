import type { Duplex } from 'node:stream';

/**
 * As much may wait for the network in one session's transport, in bytes: its writable high-water mark. Enough that a
 * fast link never runs dry before the 'drain', and a bound on what a new channel's first packet queues behind.
 */
export const BACKLOG_BYTES = 4 * 1024 * 1024;

/**
 * Holds back the writers of a session whose transport is stalled. ssh2 does not look at what `write()` returns: each of
 * its channels would put a whole window of 2 MiB into the transport's queue, and as much again into its own. So while
 * the transport is above its high-water mark, every channel says so to whoever writes to it, in the streams' own words:
 * `write()` returns false, and 'drain' follows. Costs one comparison a write; the rest are the transport's events.
 */
export class Backlog {
  readonly #transport: Duplex;
  readonly #waiting = new Set<Duplex>();
  #full = false;

  constructor(transport: Duplex) {
    this.#transport = transport;
    onWrite(transport, (more) => {
      if (!more && !this.#full) this.#fill();
      return more;
    });
  }

  /** From now on the stream, one channel of the session, reports the backlog as its own. */
  govern(stream: Duplex): void {
    onWrite(stream, (more) => {
      if (!this.#full) return more;
      this.#waiting.add(stream);
      return false;
    });
    stream.once('close', () => this.#waiting.delete(stream));
  }

  #fill(): void {
    this.#full = true;
    this.#transport.once('drain', () => this.#relieve());
  }

  #relieve(): void {
    this.#full = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    // One that is itself full says no again at the next write, and drains in its own time.
    for (const stream of waiting) stream.emit('drain');
  }
}

/** Looks at, and may change, what `stream.write()` returns. */
function onWrite(stream: Duplex, returned: (more: boolean) => boolean): void {
  const { write } = stream;
  Object.defineProperty(stream, 'write', {
    configurable: true,
    // net.Socket replaces it once the peer has ended.
    writable: true,
    value: (...args: Parameters<Duplex['write']>) => returned(write.apply(stream, args)),
  });
}
