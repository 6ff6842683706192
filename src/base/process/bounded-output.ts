import type { Readable } from 'node:stream';

/** What a command writes on one stream: the first bytes or the last ones are kept, and too many end the reading. */
export class BoundedOutput {
  /** Settles once more than the limit was written; never otherwise. */
  readonly overflow: Promise<void>;
  /** Settles when nothing more can come: everybody who could write has closed it, or it was given up. */
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
        // Whoever writes on gets SIGPIPE.
        stream.destroy();
        resolve();
      });
    });
    this.end = new Promise((resolve) => stream.once('close', resolve));
    // ECONNRESET of a writer that was killed: its end is told by 'close' as well.
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
