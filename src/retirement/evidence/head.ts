import { z } from 'zod';
import { StateFile } from '../../base/files/state-file.ts';
import type { Head } from './chain.ts';
import { HEAD } from './files.ts';

const schema = z.object({ seq: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** The last entry that is known to have been on the disk. Without it the end of the log proves nothing. */
export class KnownHead {
  readonly #file: StateFile<Head>;

  /** @param directory the state directory; nothing is touched yet */
  constructor(directory: string) {
    this.#file = new StateFile([directory], HEAD, schema);
  }

  /** Undefined where none is known. Never rejects. */
  read(): Promise<Head | undefined> {
    return this.#file.read().catch(() => undefined);
  }

  /**
   * To be called after the entry itself is on the disk, never before: a crash in between leaves a head that is behind, and
   * true. Such a head proves less, and is no reason to write the same entries again. Never rejects.
   */
  write(head: Head): Promise<void> {
    return this.#file.write(head).catch(() => {});
  }
}
