import { DeadlineTimer } from '../../base/async/deadline-timer.ts';
import { Wake } from '../../base/async/wake.ts';
import { asError } from '../../base/errors.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import { Backlog, type Waiting } from './backlog.ts';
import type { Head } from './chain.ts';
import type { Entry, NewEntry } from './entry.ts';
import { LogBroken, LogFile, type LogFileOptions } from './log-file.ts';
import { type Recovery, recover } from './recovery.ts';

export interface EventLogOptions extends LogFileOptions {
  /** {@link EventLog.open} reads entries up to this old, in milliseconds. */
  readonly rememberMs: number;
  /** Pause between attempts while writing fails, in milliseconds. */
  readonly retryMs: number;
  /** A disk that needs longer counts as not answering, in milliseconds. */
  readonly slowMs: number;
  /** The monotonic clock of this run, in milliseconds. */
  uptimeMs(): number;
  /** Makes sure that the directory is there and belongs to this process. */
  claim(): Promise<void>;
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

const NO_ANSWER = 'the disk does not answer';

interface Appended extends Waiting {
  readonly written: (entry: Entry) => void;
}

interface Failure {
  readonly since: Date;
  readonly uptimeMs: number;
  readonly error: Error;
}

/**
 * The append-only, hash-chained `events.jsonl`. One writer; entries are written in order, in batches. A
 * batch with a durable entry is flushed to disk. If somebody else moves, cuts or changes the file, the log goes on in a
 * new file whose first entry says so.
 */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #listeners: EventLogListeners;
  readonly #file: LogFile;
  readonly #wake = new Wake();
  readonly #backlog = new Backlog<Appended>();
  /** Number of entries in the current write. */
  #writing = 0;
  #failing: Failure | undefined;
  /** When the current attempt began, by the monotonic clock. */
  #begunAt: number | undefined;
  /** Why the file is not ours any more. */
  #broken: LogBroken | undefined;
  /** The first entry of a new file, until it is written. */
  #seam: NewEntry | undefined;
  /** The next look at the file, for all who asked since the last one. */
  #check: Pending | undefined;
  #closing = false;
  readonly #loop: Promise<void>;

  private constructor(options: EventLogOptions, file: LogFile, listeners: EventLogListeners) {
    this.#options = options;
    this.#file = file;
    this.#listeners = listeners;
    this.#loop = this.#run();
  }

  /** Opens or creates the log of a directory that this process owns, like {@link recover}. */
  static async open(
    options: EventLogOptions,
    listeners: EventLogListeners,
  ): Promise<{ readonly log: EventLog; readonly recovery: Recovery }> {
    const { directory, rememberMs } = options;
    const since = new Date(Date.now() - rememberMs);
    const { end, recovery } = await recover(directory, since, (entry) => listeners.onFound(entry));
    return { log: new EventLog(options, new LogFile(options, end), listeners), recovery };
  }

  /** The last entry on the disk. */
  get head(): Head {
    return this.#file.head;
  }

  get condition(): LogCondition {
    const failing = this.#failing ?? this.#silence();
    if (!failing) return { kind: 'ok' };
    const { since, error } = failing;
    return { kind: 'failing', since, error, waiting: this.#backlog.size + this.#writing };
  }

  /** A process that stood still is asked before its timer has told of the silent disk. */
  #silence(): Pick<Failure, 'since' | 'error'> | undefined {
    if (this.#begunAt === undefined) return undefined;
    const silentMs = performance.now() - this.#begunAt;
    if (silentMs <= this.#options.slowMs) return undefined;
    return { since: new Date(Date.now() - silentMs), error: new Error(NO_ANSWER) };
  }

  get unwritten(): Unwritten | undefined {
    return this.#file.unwritten;
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

  /** Looks whether the file is still the one that is written; {@link condition} tells. May take long while the disk hangs. */
  check(): Promise<void> {
    this.#check ??= pending();
    this.#wake.call();
    return this.#check.done;
  }

  /** Tries once to write the waiting entries, then closes. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake.call();
    await this.#loop;
    await this.#file.close();
  }

  async #run(): Promise<void> {
    for (;;) {
      const check = this.#takeCheck();
      let worked = true;
      if (this.#broken || this.#seam || this.#backlog.size > 0) worked = await this.#attempt(() => this.#writeAll());
      else if (check) worked = await this.#attempt(() => this.#look());
      else if (!this.#closing) await this.#wake.sleep();
      check?.settle();
      if (this.#closing && (!worked || this.#backlog.size === 0)) break;
      if (!worked) await this.#pause();
    }
    this.#takeCheck()?.settle();
  }

  #takeCheck(): Pending | undefined {
    const check = this.#check;
    this.#check = undefined;
    return check;
  }

  /** Pauses fully even if new entries arrive: they must not cause retries without a pause. */
  async #pause(): Promise<void> {
    const until = performance.now() + this.#options.retryMs;
    for (let left = this.#options.retryMs; left > 0 && !this.#closing; left = until - performance.now())
      await this.#wake.sleep(left);
  }

  /** Never rejects; returns whether the disk has done the task. A disk that does not answer counts as failing meanwhile. */
  async #attempt(task: () => Promise<void>): Promise<boolean> {
    let wasSilent = false;
    this.#begunAt = performance.now();
    const slow = new DeadlineTimer(this.#options.slowMs, () => {
      wasSilent = true;
      this.#fail(new Error(NO_ANSWER));
    });
    try {
      await task();
      this.#begunAt = undefined;
      // The lines are written, but their head is not: a disk that still does not answer has not recovered.
      if (!this.#failing) return true;
      if (this.#file.unwritten?.code === 'ETIMEDOUT') return false;
      // The disk was silent during this write: what has happened since then is not written yet.
      if (wasSilent && this.#backlog.size > 0) return true;
      this.#failing = undefined;
      this.#listeners.onCondition(this.condition);
      return true;
    } catch (thrown) {
      const error = asError(thrown);
      if (error instanceof LogBroken) this.#broken ??= error;
      this.#fail(error);
      return false;
    } finally {
      slow.end();
      this.#begunAt = undefined;
    }
  }

  #fail(error: Error): void {
    const { since = new Date(), uptimeMs = this.#options.uptimeMs() } = this.#failing ?? {};
    this.#failing = { since, uptimeMs, error };
    this.#listeners.onCondition(this.condition);
  }

  async #look(): Promise<void> {
    await this.#file.check();
    // A disk that was silent for a time: a reader must see that, too.
    if (this.#failing) await this.#write([]);
  }

  async #writeAll(): Promise<void> {
    const taken = this.#backlog.take();
    this.#writing = taken.waiting.length;
    try {
      const seam = await this.#beginNew();
      await this.#write(taken.waiting, seam, taken.dropped);
    } catch (error) {
      this.#backlog.giveBack(taken);
      throw error;
    } finally {
      this.#writing = 0;
    }
  }

  async #write(batch: readonly Appended[], seam: readonly NewEntry[] = [], dropped = 0): Promise<void> {
    const resumed = this.#resumption(dropped);
    const all = [...seam, ...batch.map(({ entry }) => entry), ...resumed];
    const durable = seam.length + resumed.length > 0 || batch.some((waiting) => waiting.durable);
    const entries = await this.#file.append(all, durable);
    this.#seam = undefined;
    for (const [index, entry] of entries.entries()) {
      this.#listeners.onWritten(entry);
      batch[index - seam.length]?.written(entry);
    }
  }

  /** The first entry of a new file, after the file was found broken: it names the entry that should come before. */
  async #beginNew(): Promise<NewEntry[]> {
    const broken = this.#broken;
    if (broken && this.#failing) {
      const { since, uptimeMs } = this.#failing;
      const { seq, hash } = this.#file.head;
      await this.#options.claim();
      const aside = await this.#file.beginNew();
      this.#broken = undefined;
      const fields = { reason: broken.message, after: { seq, hash }, set_aside: aside };
      this.#seam = { at: since, uptimeMs, event: 'log.seam', ...fields };
    }
    return this.#seam ? [this.#seam] : [];
  }

  /** The `log.resumed` entry after a failure, so that dropped entries do not pass for quiet. */
  #resumption(dropped: number): NewEntry[] {
    if (!this.#failing) return [];
    const { since, error } = this.#failing;
    const fields = { since: since.toISOString(), error: error.message, dropped };
    return [{ at: new Date(), uptimeMs: this.#options.uptimeMs(), event: 'log.resumed', ...fields }];
  }
}

interface Pending {
  readonly done: Promise<void>;
  readonly settle: () => void;
}

function pending(): Pending {
  let settle = () => {};
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { done, settle };
}
