import { readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { stateError } from '../../base/files/state-error.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { CUTOVER_PHASES } from '../../telemetry/status/status.ts';

const DIRECTORY = 'cutover';
const RECORD = '.json';

const record = z.object({
  version: z.literal(1),
  tunnel: z.string(),
  phase: z.enum(CUTOVER_PHASES),
  since: z.iso.datetime(),
  reason: z.string().nullable(),
  /** The successor's target that this is about; null for a tunnel without one. */
  successor: z.string().nullable(),
});
/** What has to be known of a tunnel's cut-over after a crash at any instant. */
export type CutoverRecord = z.infer<typeof record>;

/** One file for each tunnel in the state directory, whole whatever happens. All reject with `state_dir_unusable`. */
export class CutoverStore {
  readonly #stateDir: string;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  /** The tunnels that there is a record of. */
  async names(): Promise<string[]> {
    const path = join(this.#stateDir, DIRECTORY);
    const files = await readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw stateError('read', path, error);
    });
    return files.filter((name) => name.endsWith(RECORD)).map((name) => name.slice(0, -RECORD.length));
  }

  /** Undefined: there is none. A record that cannot be understood is an error, too. */
  async read(tunnel: string): Promise<CutoverRecord | undefined> {
    const path = this.#path(tunnel);
    try {
      const found = record.parse(JSON.parse(await readFile(path, 'utf8')));
      if (found.tunnel !== tunnel) throw new Error(`it is that of ${found.tunnel}`);
      return found;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw stateError('read', path, error);
    }
  }

  /** Settles when it is on the disk. */
  async write(entry: CutoverRecord): Promise<void> {
    await privateDirectory(this.#stateDir, DIRECTORY);
    await writeAtomically(this.#path(entry.tunnel), `${JSON.stringify(entry)}\n`);
  }

  async forget(tunnel: string): Promise<void> {
    const path = this.#path(tunnel);
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw stateError('removed', path, error);
    });
  }

  #path(tunnel: string): string {
    return join(this.#stateDir, DIRECTORY, `${tunnel}${RECORD}`);
  }
}
