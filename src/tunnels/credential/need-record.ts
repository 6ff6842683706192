import { z } from 'zod';
import { TunnelError } from '../../base/errors.ts';
import { StateFile } from '../../base/files/state-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { Logger } from '../../telemetry/log/log.ts';

/** Shortest time between two writes while the key stays in use, in milliseconds. */
const WRITE_EVERY_MS = 60_000;

/** Longest wait for the disk, in milliseconds: a daemon that stops must not wait for a disk that hangs. */
const PATIENCE_MS = 1_000;

const stored = z.object({ watched_since: z.iso.datetime(), last_needed_at: z.iso.datetime().nullable() });

/** Records, across restarts, when an actor's static key was last needed instead of a certificate. */
export class NeedRecord {
  readonly #file: StateFile<z.infer<typeof stored>>;
  readonly #log: Pick<Logger, 'warn'>;
  #watchedSince = new Date();
  #lastNeededAt: Date | undefined;
  #writtenAt: number | undefined;
  #writing: Promise<void> = Promise.resolve();
  #warned = false;
  #begun: Promise<void> | undefined;

  /** @param stateDirectory absolute; the constructor does not touch the disk */
  constructor(stateDirectory: string, actor: string, log: Pick<Logger, 'warn'>) {
    this.#file = new StateFile([stateDirectory, 'certificates', actor], 'static-key.json', stored);
    this.#log = log;
  }

  /** Since when the saved record is older than this one; undefined while it is the same. */
  get unwritten(): Unwritten | undefined {
    return this.#file.unwritten;
  }

  /** Start of the record: a need before this time is unknown. */
  get watchedSince(): Date {
    return this.#watchedSince;
  }

  get lastNeededAt(): Date | undefined {
    return this.#lastNeededAt;
  }

  /** Loads the record of an earlier run, or starts a new one. An unreadable record counts as missing; the log says so. */
  begin(): Promise<void> {
    this.#begun ??= this.#load();
    return this.#begun;
  }

  async #load(): Promise<void> {
    const kept = await this.#file.read().catch((err: unknown) => {
      const message = `earlier uses of the static key are unknown: ${TunnelError.from(err).message}`;
      this.#log.warn({ event: 'static_key.record_lost', err }, message);
      return undefined;
    });
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

  /** Settles when the record is on disk or the write has failed. */
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
      await this.#file.keep(record, { withinMs: PATIENCE_MS });
      this.#warned = false;
    } catch (error) {
      if (this.#warned) return;
      this.#warned = true;
      const { message } = TunnelError.from(error);
      this.#log.warn(
        { event: 'static_key.not_recorded', err: error },
        `last use of the static key not saved yet: ${message}`,
      );
    }
  }
}
