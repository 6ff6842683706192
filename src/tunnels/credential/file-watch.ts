import { stat } from 'node:fs/promises';

/** What became of a file since the last look: `lost` once, when the file disappears. */
export type FileNews = 'same' | 'changed' | 'lost';

/** Detects by polling that a file was replaced or written: a kernel watch misses a rename over the file. */
export class FileWatch {
  readonly #path: string | undefined;
  #stamp: string | undefined;
  #isLost = false;

  /** @param path undefined: never reports a change */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** Since the last call; `same` at the first call, and when a lost file comes back unchanged. */
  async look(): Promise<FileNews> {
    if (this.#path === undefined) return 'same';
    const stats = await stat(this.#path, { bigint: true }).catch(() => undefined);
    const wasLost = this.#isLost;
    this.#isLost = stats === undefined && this.#stamp !== undefined;
    if (!stats) return this.#isLost && !wasLost ? 'lost' : 'same';
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    const before = this.#stamp;
    this.#stamp = [dev, ino, size, mtimeNs, ctimeNs].join('.');
    return before !== undefined && before !== this.#stamp ? 'changed' : 'same';
  }
}
