import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import { StateFile } from '../../base/files/state-file.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Written no more often than this while it goes on being needed, in milliseconds. */
const WRITE_EVERY_MS = 60_000;

const stored = z.object({ watched_since: z.iso.datetime(), last_needed_at: z.iso.datetime().nullable() });

/** When an actor's static key was last needed in the place of a certificate; a restart does not forget it. */
export class NeedRecord {
  readonly #file: StateFile<z.infer<typeof stored>>;
  readonly #log: Pick<Logger, 'warn'>;
  #watchedSince = new Date();
  #lastNeededAt: Date | undefined;
  #writtenAt: number | undefined;
  #writing: Promise<void> = Promise.resolve();
  #told = false;
  #begun: Promise<void> | undefined;

  /** @param stateDirectory absolute; nothing is touched yet */
  constructor(stateDirectory: string, actor: string, log: Pick<Logger, 'warn'>) {
    this.#file = new StateFile([stateDirectory, 'certificates', actor], 'static-key.json', stored);
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
    const kept = await this.#file.read().catch(() => undefined);
    if (!kept) {
      void this.flush();
      return;
    }
    this.#watchedSince = new Date(kept.watched_since);
    if (kept.last_needed_at !== null) this.#lastNeededAt ??= new Date(kept.last_needed_at);
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
      await this.#file.write(record);
      this.#told = false;
    } catch (error) {
      if (this.#told) return;
      this.#told = true;
      const { message } = TunnelError.from(error);
      this.#log.warn({ event: 'static_key.not_recorded', err: error }, `a restart will forget it: ${message}`);
    }
  }
}
