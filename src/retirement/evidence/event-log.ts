import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Wake } from '../../base/async/wake.ts';
import { asError } from '../../base/errors.ts';
import { Backlog, type Waiting } from './backlog.ts';
import { ChainCheck, type ChainProblem, type Head } from './chain.ts';
import { chainEntry, type Entry, hashLine, type NewEntry } from './entry.ts';
import { CURRENT, filesSince, readLines, rotatedName } from './files.ts';
import { readHead, writeHead } from './head.ts';
import { takeLock } from './lock.ts';

export interface EventLogOptions {
  readonly directory: string;
  /** A file that has grown beyond this many bytes is put aside, and the next one begun. */
  readonly rotateBytes: number;
  /** How far back {@link EventLog.open} reads, in milliseconds. */
  readonly rememberMs: number;
  /** Pause between attempts while the disk refuses, in milliseconds. */
  readonly retryMs: number;
}

/** What was found and done when an existing log was opened. */
export interface Recovery {
  /** Bytes of a torn last line that were cut off; 0 where there was none. */
  readonly tornBytes: number;
  readonly problems: readonly ChainProblem[];
}

/** Whether what happens can be written down. */
export type LogCondition =
  | { readonly kind: 'ok' }
  /** Forwarding goes on; what happens waits in memory until the disk takes it. */
  | { readonly kind: 'failing'; readonly since: Date; readonly error: Error; readonly waiting: number };

/** Who is told of what. */
export interface EventLogListeners {
  /** An entry of the last `rememberMs`, or somewhat older, as it was found at the start. */
  onFound(entry: Entry): void;
  /** It is on the disk now. */
  onWritten(entry: Entry): void;
  onCondition(condition: LogCondition): void;
}

interface Appended extends Waiting {
  readonly written: (entry: Entry) => void;
}

/**
 * The append-only, hash-chained `events.jsonl` (SPEC section 6). One writer; entries are written in the order they were
 * given, together as far as they have gathered, and flushed to the disk when one of them is a transition.
 */
export class EventLog {
  readonly #options: EventLogOptions;
  readonly #listeners: EventLogListeners;
  readonly #unlock: () => Promise<void>;
  readonly #wake = new Wake();
  readonly #backlog = new Backlog<Appended>();
  /** Of these the disk is being told. */
  #writing = 0;
  #file: FileHandle;
  #size: number;
  /** Number of the first entry of the current file. */
  #fileStart: number;
  #head: Head;
  #failing: { readonly since: Date; readonly error: Error } | undefined;
  /** Whether the file may end with a part of what could not be written. */
  #torn = false;
  #closing = false;
  readonly #loop: Promise<void>;

  private constructor(
    options: EventLogOptions,
    opened: {
      readonly file: FileHandle;
      readonly size: number;
      readonly fileStart: number;
      readonly head: Head;
      readonly unlock: () => Promise<void>;
    },
    listeners: EventLogListeners,
  ) {
    this.#options = options;
    this.#file = opened.file;
    this.#size = opened.size;
    this.#fileStart = opened.fileStart;
    this.#head = opened.head;
    this.#unlock = opened.unlock;
    this.#listeners = listeners;
    this.#loop = this.#run();
  }

  /**
   * Opens the log of a directory that exists, or begins one. A torn last line is cut off; any other damage is reported and
   * left as it is: the chain goes on from the last line. Rejects when it cannot be read or written, or another process has it.
   */
  static async open(
    options: EventLogOptions,
    listeners: EventLogListeners,
  ): Promise<{ readonly log: EventLog; readonly recovery: Recovery }> {
    const unlock = await takeLock(options.directory);
    try {
      return await EventLog.#openLocked(options, listeners, unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  static async #openLocked(options: EventLogOptions, listeners: EventLogListeners, unlock: () => Promise<void>) {
    const { directory } = options;
    const known = await readHead(directory);
    const files = await filesSince(directory, new Date(Date.now() - options.rememberMs));
    // The files before these are for `verifyLog` to check.
    const check = new ChainCheck(known, 'anywhere');
    let tornBytes = 0;
    let size = 0;
    let fileStart = 1;
    for await (const { file, line, text, whole } of readLines(directory, files)) {
      if (!whole && file === CURRENT) {
        tornBytes = text.length;
        break;
      }
      if (file === CURRENT) {
        if (line === 1) fileStart = check.last.seq + 1;
        size += text.length + 1;
      }
      const entry = check.next(text, { file, line });
      if (entry) listeners.onFound(entry);
    }
    const problems = check.finish();
    const file = await open(join(directory, CURRENT), 'a', 0o600);
    if (tornBytes > 0) {
      await file.truncate(size);
      await file.datasync();
    }
    // Numbers of entries that are gone are never given again: the gap they leave stays visible for good.
    const head = { seq: Math.max(check.last.seq, known?.seq ?? 0), hash: check.last.hash };
    if (size === 0) fileStart = head.seq + 1;
    const log = new EventLog(options, { file, size, fileStart, head, unlock }, listeners);
    return { log, recovery: { tornBytes, problems } };
  }

  /** The last entry on the disk. */
  get head(): Head {
    return this.#head;
  }

  get condition(): LogCondition {
    return this.#failing
      ? { kind: 'failing', ...this.#failing, waiting: this.#backlog.size + this.#writing }
      : { kind: 'ok' };
  }

  /**
   * Settles with the entry as it was written, once it is, and flushed if it is `durable`; while the disk refuses that may be late, or, for
   * what was dropped, never. Nobody has to wait for it.
   */
  append(entry: NewEntry, durable: boolean): Promise<Entry> {
    return new Promise((resolve) => {
      this.#backlog.add({ entry, durable, written: resolve });
      this.#wake.call();
    });
  }

  /** Writes what waits, once, and closes. */
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

  /** New entries gather meanwhile: they must not make us hammer a disk that has just refused. */
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
      await this.#rotate();
      entries = await this.#write([...batch, ...resumed]);
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

  /** Once the disk takes them again, the entries that waited say so themselves: what is missing must not pass for quiet. */
  #resumption(batch: readonly Waiting[], dropped: number): Waiting[] {
    const last = batch.at(-1);
    if (!this.#failing || !last) return [];
    const { since, error } = this.#failing;
    const { at, uptimeMs } = last.entry;
    const fields = { since: since.toISOString(), error: error.message, dropped };
    return [{ entry: { at, uptimeMs, event: 'log.resumed', ...fields }, durable: true }];
  }

  /** The entries as written, one for each that waited. */
  async #write(batch: readonly Waiting[]): Promise<readonly Entry[]> {
    let head = this.#head;
    const entries: Entry[] = [];
    const lines: string[] = [];
    for (const { entry } of batch) {
      const chained = chainEntry(entry, head.seq + 1, head.hash);
      const line = JSON.stringify(chained);
      head = { seq: head.seq + 1, hash: hashLine(line) };
      entries.push(chained);
      lines.push(`${line}\n`);
    }
    const bytes = Buffer.from(lines.join(''));
    await this.#mend();
    await this.#refuseOtherWriters();
    const durable = batch.some((waiting) => waiting.durable);
    this.#torn = true;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done);
      done += bytesWritten;
    }
    if (durable) await this.#file.datasync();
    this.#torn = false;
    this.#size += bytes.length;
    this.#head = head;
    // A head that is behind its log proves less, and is no reason to write the same entries again.
    if (durable) await writeHead(this.#options.directory, head).catch(() => {});
    return entries;
  }

  /** What was half written must not become the beginning of a line. */
  async #mend(): Promise<void> {
    if (!this.#torn) return;
    await this.#file.truncate(this.#size);
    this.#torn = false;
  }

  /** A second daemon on the same state directory would break the chain of both. */
  async #refuseOtherWriters(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size !== this.#size)
      throw new Error(`${CURRENT} was changed by another process (${size} instead of ${this.#size} bytes)`);
  }

  async #rotate(): Promise<void> {
    if (this.#size < this.#options.rotateBytes) return;
    const { directory } = this.#options;
    await this.#mend();
    await this.#file.datasync();
    // Made first: when there is no room for it, the present file serves on.
    const prepared = join(directory, `${CURRENT}.next`);
    const next = await open(prepared, 'a', 0o600);
    await rename(join(directory, CURRENT), join(directory, rotatedName(this.#fileStart)));
    await rename(prepared, join(directory, CURRENT));
    await this.#file.close();
    this.#file = next;
    this.#size = 0;
    this.#fileStart = this.#head.seq + 1;
  }
}
