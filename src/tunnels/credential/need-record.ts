import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Written no more often than this while it goes on being needed, in milliseconds. */
const WRITE_EVERY_MS = 60_000;

const stored = z.object({ watched_since: z.iso.datetime(), last_needed_at: z.iso.datetime().nullable() });

/** When an actor's static key was last needed in the place of a certificate; a restart does not forget it. */
export class NeedRecord {
  readonly #place: readonly [string, ...string[]];
  readonly #path: string;
  readonly #log: Pick<Logger, 'warn'>;
  #watchedSince = new Date();
  #lastNeededAt: Date | undefined;
  #writtenAt: number | undefined;
  #writing: Promise<void> = Promise.resolve();
  #told = false;
  #begun: Promise<void> | undefined;

  /** @param stateDirectory absolute; nothing is touched yet */
  constructor(stateDirectory: string, actor: string, log: Pick<Logger, 'warn'>) {
    this.#place = [stateDirectory, 'certificates', actor];
    this.#path = join(...this.#place, 'static-key.json');
    this.#log = log;
  }

  /** Since when it would have been noticed. */
  get watchedSince(): Date {
    return this.#watchedSince;
  }

  get lastNeededAt(): Date | undefined {
    return this.#lastNeededAt;
  }

  /** Takes up what an earlier run has written, or begins to watch. One that cannot be read is as good as none. */
  begin(): Promise<void> {
    this.#begun ??= this.#load();
    return this.#begun;
  }

  async #load(): Promise<void> {
    try {
      const { watched_since, last_needed_at } = stored.parse(JSON.parse(await readFile(this.#path, 'utf8')));
      this.#watchedSince = new Date(watched_since);
      if (last_needed_at !== null) this.#lastNeededAt ??= new Date(last_needed_at);
    } catch {
      void this.flush();
    }
  }

  needed(at: Date): void {
    this.#lastNeededAt = at;
    if (this.#writtenAt === undefined || performance.now() - this.#writtenAt >= WRITE_EVERY_MS) void this.flush();
  }

  /** Settles when the record is on disk, or it is known that it cannot be. */
  flush(): Promise<void> {
    if (!this.#begun) return this.#writing;
    this.#writtenAt = performance.now();
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const record = {
      watched_since: this.#watchedSince.toISOString(),
      last_needed_at: this.#lastNeededAt?.toISOString() ?? null,
    };
    try {
      await privateDirectory(...this.#place);
      await writeAtomically(this.#path, `${JSON.stringify(record)}\n`);
      this.#told = false;
    } catch (error) {
      if (this.#told) return;
      this.#told = true;
      const { message } = TunnelError.from(error);
      this.#log.warn({ event: 'static_key.not_recorded', err: error }, `a restart will forget it: ${message}`);
    }
  }
}
