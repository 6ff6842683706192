import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import type { DiskAt } from '../../base/files/state-disk.ts';
import { stateError } from '../../base/files/state-error.ts';
import { answered, StateFile, type WriteOptions } from '../../base/files/state-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import { CUTOVER_PHASES } from '../../telemetry/status/status.ts';
import { tunnelPlace } from '../../tunnels/tunnel/sameness.ts';

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
  /** The tunnel of the cut-over; missing in files of earlier versions. */
  place: tunnelPlace.optional(),
});
/** The saved state of a tunnel's cut-over, complete for a resume after a crash. */
export type CutoverRecord = z.infer<typeof record>;

/** One file per tunnel in the state directory, as {@link StateFile} keeps it. All methods reject with `state_dir_unusable`. */
export class CutoverStore {
  readonly #stateDir: string;
  readonly #disk: DiskAt | undefined;
  /** By tunnel. One object per name for good keeps writes and deletions in order. */
  readonly #files = new Map<string, StateFile<CutoverRecord>>();

  constructor(stateDir: string, disk?: DiskAt) {
    this.#stateDir = stateDir;
    this.#disk = disk;
  }

  /** The tunnels with a saved state. */
  async names(): Promise<string[]> {
    const path = join(this.#stateDir, DIRECTORY);
    const files = await answered(() => readdir(path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error instanceof TunnelError ? error : stateError('read', path, error);
    });
    return files.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length));
  }

  /** Undefined if there is no file. An invalid file is an error. */
  read(tunnel: string): Promise<CutoverRecord | undefined> {
    return this.#fileOf(tunnel).read();
  }

  /** The files whose newest content is not on the disk. */
  get unwritten(): Unwritten[] {
    return [...this.#files.values()].flatMap(({ unwritten }) => unwritten ?? []);
  }

  /** Writes the files again that somebody else has changed or removed. Returns their paths. Never rejects. */
  async restore(): Promise<string[]> {
    // One look at the directory: most tunnels have no file, and looking for the file of each costs more than their probes.
    const present = new Set(await this.names().catch(() => [...this.#files.keys()]));
    const files = [...this.#files].flatMap(([tunnel, file]) => (file.isKept || present.has(tunnel) ? file : []));
    const restored = await Promise.all(files.map((file) => file.restore()));
    return files.filter((_, index) => restored[index]).map(({ path }) => path);
  }

  /** Settles when the disk has the newest entry of the tunnel, whatever somebody else did to the file. */
  async confirm(tunnel: string): Promise<void> {
    await this.#files.get(tunnel)?.confirm();
  }

  /** Whether the newest entry of the tunnel is not on the disk. */
  isUnwritten(tunnel: string): boolean {
    return this.#files.get(tunnel)?.unwritten !== undefined;
  }

  /** Settles when the entry is on disk. After a rejection the entry of before counts. */
  write(entry: CutoverRecord, options?: WriteOptions): Promise<void> {
    return this.#fileOf(entry.tunnel).write(entry, options);
  }

  /** As {@link write}, but the entry counts already, and is written until the disk has it. */
  keep(entry: CutoverRecord, options?: WriteOptions): Promise<void> {
    return this.#fileOf(entry.tunnel).keep(entry, options);
  }

  /** As {@link keep}. */
  forget(tunnel: string): Promise<void> {
    return this.#fileOf(tunnel).forget();
  }

  #fileOf(tunnel: string): StateFile<CutoverRecord> {
    const known = this.#files.get(tunnel);
    if (known) return known;
    // A file that names another tunnel is invalid.
    const own = record.extend({ tunnel: z.literal(tunnel) });
    const place = [this.#stateDir, DIRECTORY] as const;
    const name = `${tunnel}${RECORD}`;
    const file = new StateFile<CutoverRecord>(place, name, own, this.#disk?.(place, name));
    this.#files.set(tunnel, file);
    return file;
  }
}
