import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** Who may refer to received bytes, and until when: up to `released` of its bytes, nobody in this process does. */
export interface Holder {
  readonly released: number;
}

/**
 * Follows the bytes of a stream to the one socket that takes them, so that their memory can be used again when the kernel
 * has them. Another listener, or another destination, may keep the bytes: then nothing counts as released any more.
 */
export class Trace implements Holder {
  /** Bytes that the stream has been given so far. */
  pushed = 0;
  readonly #stream: Readable;
  #sink: Socket | undefined;
  #piping = false;
  #strayed = false;
  /** Bytes that had gone to the socket when the pipe ended. */
  #passed: number | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('newListener', (event) => {
      if (!this.#piping && (event === 'data' || event === 'readable')) this.#strayed = true;
    });
  }

  /** To be called with each `pipe()` of the stream, around the real one. */
  piping<Result>(destination: unknown, pipe: () => Result): Result {
    if (this.#sink !== undefined || !(destination instanceof Socket)) this.#strayed = true;
    else this.#sink = destination;
    this.#piping = true;
    try {
      return pipe();
    } finally {
      this.#piping = false;
    }
  }

  /** To be called before each `unpipe()` of the stream. */
  unpiping(): void {
    this.#passed ??= this.#given;
  }

  /** The socket that takes all bytes of the stream at once; undefined: others may keep the bytes, or the stream does. */
  get sink(): Socket | undefined {
    return this.traceable && this.#passed === undefined && this.#stream.readableLength === 0 ? this.#sink : undefined;
  }

  /** Whether {@link released} can ever reach the bytes that are pushed now. */
  get traceable(): boolean {
    return this.#sink !== undefined && !this.#strayed;
  }

  get released(): number {
    const sink = this.#sink;
    if (sink === undefined || this.#strayed) return 0;
    const passed = this.#passed ?? this.#given;
    // A closed socket drops its writes. Other writes to the socket only make this number smaller.
    return sink.destroyed ? passed : passed - sink.writableLength;
  }

  get #given(): number {
    return this.pushed - this.#stream.readableLength;
  }
}
