import { z } from 'zod';
import { StateFile } from '../../base/files/state-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { Head } from './chain.ts';
import { HEAD } from './files.ts';

const schema = z.object({ seq: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) });

/** The last entry known to be on disk. Without it the end of the log proves nothing. */
export class KnownHead {
  readonly #file: StateFile<Head>;

  /** @param directory the state directory; not read or written yet */
  constructor(directory: string) {
    this.#file = new StateFile([directory], HEAD, schema);
  }

  /** Undefined if unknown. Never rejects. */
  read(): Promise<Head | undefined> {
    return this.#file.read().catch(() => undefined);
  }

  /**
   * Call only after the entry is on disk: a crash in between leaves an older head, which is still true. An older head proves
   * less, but does not cause the same entries to be written again. Never rejects.
   */
  write(head: Head): Promise<void> {
    return this.#file.keep(head).catch(() => {});
  }

  /** Since when the saved head is older than the last one written; undefined while it is the same. */
  get unwritten(): Unwritten | undefined {
    return this.#file.unwritten;
  }
}
