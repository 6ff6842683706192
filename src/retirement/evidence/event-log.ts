import { Wake } from '../../base/async/wake.ts';
import { asError } from '../../base/errors.ts';
import { Backlog, type Waiting } from './backlog.ts';
import type { Head } from './chain.ts';
import type { Entry, NewEntry } from './entry.ts';
import { takeLock } from './lock.ts';
import { LogFile, type LogFileOptions } from './log-file.ts';
import { type Recovery, recover } from './recovery.ts';

export interface EventLogOptions extends LogFileOptions {
  /** {@link EventLog.open} reads entries up to this old, in milliseconds. */
  readonly rememberMs: number;
  /** Pause between attempts while writing fails, in milliseconds. */
  readonly retryMs: number;
}

/** Whether entries can be written. */
export type LogCondition =
  | { readonly kind: 'ok' }
  /** Forwarding continues; entries wait in memory until writing works. */
  | { readonly kind: 'failing'; readonly since: Date; readonly error: Error; readonly waiting: number };

/** Callbacks of the log. */
export interface EventLogListeners {
  /** An entry found at the start, from the last `rememberMs` or somewhat older. */
  onFound(entry: Entry): void;
  /** The entry is on disk. */
  onWritten(entry: Entry): void;
  onCondition(condition: LogCondition): void;
}

interface Appended extends Waiting {
  readonly written: (entry: Entry) => void;
}

/**
 * The append-only, hash-chained `events.jsonl`. One writer; entries are written in order, in batches. A
 * batch with a durable entry is flushed to disk.
 */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #listeners: EventLogListeners;
  readonly #file: LogFile;
  readonly #unlock: () => Promise<void>;
  readonly #wake = new Wake();
  readonly #backlog = new Backlog<Appended>();
  /** Number of entries in the current write. */
  #writing = 0;
  #failing: { readonly since: Date; readonly error: Error } | undefined;
  #closing = false;
  readonly #loop: Promise<void>;

  private constructor(
    options: EventLogOptions,
    file: LogFile,
    listeners: EventLogListeners,
    unlock: () => Promise<void>,
  ) {
    this.#options = options;
    this.#file = file;
    this.#listeners = listeners;
    this.#unlock = unlock;
    this.#loop = this.#run();
  }

  /** Opens or creates the log of an existing directory, like {@link recover}. Rejects also if another process has the lock. */
  static async open(
    options: EventLogOptions,
    listeners: EventLogListeners,
  ): Promise<{ readonly log: EventLog; readonly recovery: Recovery }> {
    const { directory, rememberMs } = options;
    const unlock = await takeLock(directory);
    try {
      const since = new Date(Date.now() - rememberMs);
      const { end, recovery } = await recover(directory, since, (entry) => listeners.onFound(entry));
      return { log: new EventLog(options, new LogFile(options, end), listeners, unlock), recovery };
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** The last entry on the disk. */
  get head(): Head {
    return this.#file.head;
  }

  get condition(): LogCondition {
    return this.#failing
      ? { kind: 'failing', ...this.#failing, waiting: this.#backlog.size + this.#writing }
      : { kind: 'ok' };
  }

  /**
   * Settles with the entry when it is written, and flushed if `durable`. While writing fails this may take long; for a dropped
   * entry it never settles. Waiting is optional.
   */
  append(entry: NewEntry, durable: boolean): Promise<Entry> {
    return new Promise((resolve) => {
      this.#backlog.add({ entry, durable, written: resolve });
      this.#wake.call();
    });
  }

  /** Tries once to write the waiting entries, then closes. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake.call();
    await this.#loop;
    await this.#file.close();
    await this.#unlock();
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#backlog.size > 0) await this.#writeAll();
      else if (!this.#closing) await this.#wake.sleep();
      if (this.#closing && (this.#backlog.size === 0 || this.#failing)) return;
      if (this.#failing) await this.#pause();
    }
  }

  /** Pauses fully even if new entries arrive: they must not cause retries without a pause. */
  async #pause(): Promise<void> {
    const until = performance.now() + this.#options.retryMs;
    for (let left = this.#options.retryMs; left > 0 && !this.#closing; left = until - performance.now())
      await this.#wake.sleep(left);
  }

  async #writeAll(): Promise<void> {
    const taken = this.#backlog.take();
    const batch = taken.waiting;
    this.#writing = batch.length;
    const resumed = this.#resumption(batch, taken.dropped);
    let entries: readonly Entry[];
    try {
      const all = [...batch, ...resumed];
      const durable = all.some((waiting) => waiting.durable);
      entries = await this.#file.append(
        all.map(({ entry }) => entry),
        durable,
      );
    } catch (thrown) {
      this.#backlog.giveBack(taken);
      this.#writing = 0;
      const error = asError(thrown);
      this.#failing = { since: this.#failing?.since ?? new Date(), error };
      this.#listeners.onCondition(this.condition);
      return;
    }
    this.#writing = 0;
    for (const [index, entry] of entries.entries()) {
      this.#listeners.onWritten(entry);
      batch[index]?.written(entry);
    }
    if (!this.#failing) return;
    this.#failing = undefined;
    this.#listeners.onCondition(this.condition);
  }

  /** The `log.resumed` entry after a failure, so that dropped entries do not pass for quiet. */
  #resumption(batch: readonly Waiting[], dropped: number): Waiting[] {
    const last = batch.at(-1);
    if (!this.#failing || !last) return [];
    const { since, error } = this.#failing;
    const { at, uptimeMs } = last.entry;
    const fields = { since: since.toISOString(), error: error.message, dropped };
    return [{ entry: { at, uptimeMs, event: 'log.resumed', ...fields }, durable: true }];
  }
}
