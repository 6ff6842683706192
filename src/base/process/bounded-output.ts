import type { Readable } from 'node:stream';

/** The output of a command on one stream. Keeps the first or the last bytes; too much output ends the reading. */
export class BoundedOutput {
  /** Settles when the output exceeds the limit; never otherwise. */
  readonly overflow: Promise<void>;
  /** Settles when no more output can come: all writers have closed the stream, or {@link giveUp} was called. */
  readonly end: Promise<void>;
  readonly #stream: Readable;
  readonly #keep: { readonly first: number } | { readonly last: number };
  #kept: Buffer = Buffer.alloc(0);
  #total = 0;
  #overflowed = false;

  constructor(stream: Readable, limit: number, keep: { readonly first: number } | { readonly last: number }) {
    this.#stream = stream;
    this.#keep = keep;
    this.overflow = new Promise((resolve) => {
      stream.on('data', (chunk: Buffer) => {
        this.#total += chunk.length;
        this.#add(chunk);
        if (this.#total <= limit) return;
        this.#overflowed = true;
        // The next write of the command gets SIGPIPE.
        stream.destroy();
        resolve();
      });
    });
    this.end = new Promise((resolve) => stream.once('close', resolve));
    // ECONNRESET of a killed writer: 'close' reports the end as well.
    stream.on('error', () => {});
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  get bytes(): Buffer {
    return this.#kept;
  }

  giveUp(): void {
    this.#stream.destroy();
  }

  #add(chunk: Buffer): void {
    const keep = this.#keep;
    if ('last' in keep) {
      this.#kept = Buffer.concat([this.#kept, chunk.subarray(-keep.last)]).subarray(-keep.last);
    } else if (this.#kept.length < keep.first) {
      this.#kept = Buffer.concat([this.#kept, chunk.subarray(0, keep.first - this.#kept.length)]);
    }
  }
}
