import { stat } from 'node:fs/promises';

/** Whether a file was replaced or written, by looking now and then: a watch of the kernel's misses a rename over it. */
export class FileWatch {
  readonly #path: string | undefined;
  #stamp: string | undefined;

  /** @param path undefined: nothing ever changes */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Since the last call; the first one only looks. A file that is gone has not changed: it may be about to come back. */
  async hasChanged(): Promise<boolean> {
    if (this.#path === undefined) return false;
    const stats = await stat(this.#path, { bigint: true }).catch(() => undefined);
    if (!stats) return false;
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    const before = this.#stamp;
    this.#stamp = [dev, ino, size, mtimeNs, ctimeNs].join('.');
    return before !== undefined && before !== this.#stamp;
  }
}
