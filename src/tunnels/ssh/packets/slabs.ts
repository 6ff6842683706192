/** So many slabs are remembered; the garbage collector gets the oldest of more. */
const MOST_REMEMBERED = 32;
/** After this time without need for a slab, the garbage collector gets all; in milliseconds. */
const IDLE_MS = 2_000;

/**
 * Slabs of memory that are full. A slab is used again when nobody refers to its bytes any more: memory that is allocated
 * for each read or write makes the garbage collector run without a pause.
 */
export class Slabs {
  readonly #bytes: number;
  #full: { readonly slab: Buffer; readonly free: () => boolean }[] = [];
  #idle: NodeJS.Timeout | undefined;

  /** @param bytes the size of each slab */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** @param free whether nobody refers to the bytes of `slab` */
  give(slab: Buffer, free: () => boolean): void {
    this.#full.push({ slab, free });
    if (this.#full.length > MOST_REMEMBERED) this.#full.shift();
    if (this.#idle) this.#idle.refresh();
    else this.#idle = setTimeout(() => this.clear(), IDLE_MS).unref();
  }

  /** A free slab: the last one of the free ones, because the caches of the processor know that one best. */
  take(): Buffer {
    for (let index = this.#full.length - 1; index >= 0; index--) {
      const each = this.#full[index];
      if (!each?.free()) continue;
      this.#full.splice(index, 1);
      return each.slab;
    }
    return Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** Leaves all slabs to the garbage collector. */
  clear(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
    this.#full = [];
  }
}
