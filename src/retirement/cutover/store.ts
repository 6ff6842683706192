import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { stateError } from '../../base/files/state-error.ts';
import { StateFile, type WriteOptions } from '../../base/files/state-file.ts';
import { CUTOVER_PHASES } from '../../telemetry/status/status.ts';

const DIRECTORY = 'cutover';
const RECORD = '.json';

const record = z.object({
  version: z.literal(1),
  tunnel: z.string(),
  phase: z.enum(CUTOVER_PHASES),
  since: z.iso.datetime(),
  reason: z.string().nullable(),
  /** Target of the successor; null for a tunnel without one. */
  successor: z.string().nullable(),
});
/** The saved state of a tunnel's cut-over, complete for a resume after a crash. */
export type CutoverRecord = z.infer<typeof record>;

/** One file per tunnel in the state directory, written atomically. All methods reject with `state_dir_unusable`. */
export class CutoverStore {
  readonly #stateDir: string;
  /** By tunnel. One object per name for good keeps writes and deletions in order. */
  readonly #files = new Map<string, StateFile<CutoverRecord>>();

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** The tunnels with a saved state. */
  async names(): Promise<string[]> {
    const path = join(this.#stateDir, DIRECTORY);
    const files = await readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw stateError('read', path, error);
    });
    return files.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length));
  }

  /** Undefined if there is no file. An invalid file is an error. */
  read(tunnel: string): Promise<CutoverRecord | undefined> {
    return this.#fileOf(tunnel).read();
  }

  /** Settles when the entry is on disk, after all earlier writes. */
  write(entry: CutoverRecord, options?: WriteOptions): Promise<void> {
    return this.#fileOf(entry.tunnel).write(entry, options);
  }

  /** As {@link write}. */
  forget(tunnel: string): Promise<void> {
    return this.#fileOf(tunnel).forget();
  }

  #fileOf(tunnel: string): StateFile<CutoverRecord> {
    const known = this.#files.get(tunnel);
    if (known) return known;
    // A file that names another tunnel is invalid.
    const own = record.extend({ tunnel: z.literal(tunnel) });
    const file = new StateFile<CutoverRecord>([this.#stateDir, DIRECTORY], `${tunnel}${RECORD}`, own);
    this.#files.set(tunnel, file);
    return file;
  }
}
