import { stat } from 'node:fs/promises';

/** Detects by polling that a file was replaced or written: a kernel watch misses a rename over the file. */
export class FileWatch {
  readonly #path: string | undefined;
  #stamp: string | undefined;

  /** @param path undefined: never reports a change */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Since the last call; false at the first call. A missing file counts as unchanged, because it may come back. */
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
