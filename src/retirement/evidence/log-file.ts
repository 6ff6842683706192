import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { openRegular } from '../../base/files/regular-file.ts';
import type { Unwritten } from '../../base/files/state-writer.ts';
import type { Head } from './chain.ts';
import { chainEntry, type Entry, hashLine, type NewEntry } from './entry.ts';
import { CURRENT, rotatedName } from './files.ts';
import { KnownHead } from './head.ts';
import { setAside } from './set-aside.ts';

export interface LogFileOptions {
  readonly directory: string;
  /** A larger file is rotated, in bytes. */
  readonly rotateBytes: number;
  /** Pause between two looks at all lines of the current file, in milliseconds. */
  readonly lookMs: number;
}

/** The end of the log. */
export interface LogEnd {
  /** The current file, open for appending. */
  readonly file: FileHandle;
  /** Of the current file, in bytes. */
  readonly size: number;
  /** SHA-256 of the current file so far. */
  readonly content: Hash;
  /** Number of the first entry of the current file. */
  readonly fileStart: number;
  readonly head: Head;
}

/** The file at the path of the log is not as this process has written it. */
export class LogBroken extends Error {
  override readonly name = 'LogBroken';
}

/** Appends entries to the log on disk and continues its chain. One caller at a time. */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #knownHead: KnownHead;
  readonly #path: string;
  #file: FileHandle;
  #size: number;
  #content: Hash;
  #lookedAt = performance.now();
  #fileStart: number;
  #head: Head;
  /** Whether the file may end with a partial write. */
  #torn = false;
  /** Last change of the file by this process. */
  #changedNs: bigint | undefined;

  constructor(options: LogFileOptions, { file, size, content, fileStart, head }: LogEnd) {
    this.#options = options;
    this.#knownHead = new KnownHead(options.directory);
    this.#path = join(options.directory, CURRENT);
    this.#file = file;
    this.#size = size;
    this.#content = content;
    this.#fileStart = fileStart;
    this.#head = head;
  }

  /** The last entry on the disk. */
  get head(): Head {
    return this.#head;
  }

  get unwritten(): Unwritten | undefined {
    return this.#knownHead.unwritten;
  }

  /**
   * Appends the entries together, and flushes them if `durable`. Settles with the entries as written. Rejects with
   * {@link LogBroken} or the error of the disk; then the same entries can be appended again.
   */
  async append(added: readonly NewEntry[], durable: boolean): Promise<readonly Entry[]> {
    await this.check();
    await this.#rotate();
    let head = this.#head;
    const entries: Entry[] = [];
    const lines: string[] = [];
    for (const entry of added) {
      const chained = chainEntry(entry, head.seq + 1, head.hash);
      const line = JSON.stringify(chained);
      head = { seq: head.seq + 1, hash: hashLine(line) };
      entries.push(chained);
      lines.push(`${line}\n`);
    }
    const bytes = Buffer.from(lines.join(''));
    await this.#cutTorn();
    this.#torn = true;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done);
      done += bytesWritten;
    }
    // At once: what changes the file from here on is the doing of somebody else.
    this.#changedNs = (await this.#file.stat({ bigint: true })).mtimeNs;
    if (durable) await this.#file.datasync();
    this.#torn = false;
    this.#size += bytes.length;
    this.#content.update(bytes);
    this.#head = head;
    if (durable) await this.#knownHead.write(head);
    return entries;
  }

  /**
   * Rejects with {@link LogBroken} if the file was moved, removed, replaced, cut or changed by somebody else: what
   * this process appends would then not be where a reader looks.
   */
  async check(): Promise<void> {
    // Together: each answer of the disk wakes the process, once a second.
    const [own, there] = await Promise.all([
      this.#file.stat({ bigint: true }),
      stat(this.#path, { bigint: true }).catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
        throw error;
      }),
    ]);
    if (!there) throw new LogBroken(`${CURRENT} was moved or removed`);
    if (there.dev !== own.dev || there.ino !== own.ino) throw new LogBroken(`${CURRENT} was replaced by another file`);
    if (own.size < this.#size) throw new LogBroken(`${CURRENT} was cut short`);
    // The rest of a partial write of this process.
    if (this.#torn) return;
    if (own.size > this.#size) throw new LogBroken(`another process wrote to ${CURRENT}`);
    const touched = this.#changedNs !== undefined && own.mtimeNs !== this.#changedNs;
    // A change during a write of this process has its time from that write.
    const due = performance.now() - this.#lookedAt >= this.#options.lookMs;
    if ((touched || due) && !(await this.#isIntact())) throw new LogBroken(`another process changed ${CURRENT}`);
    this.#changedNs = own.mtimeNs;
  }

  /**
   * Goes on in a new file after {@link LogBroken}. What is at the path is set aside, never removed. The chain continues from
   * the last entry of this process, so that the log verifies again if the missing lines return. Returns the name of
   * the file that was set aside.
   */
  async beginNew(): Promise<string | null> {
    const { directory } = this.#options;
    const aside = await setAside(directory, rotatedName(this.#fileStart), this.#head.seq + 1);
    const next = await openRegular(
      this.#path,
      constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL,
      0o600,
    );
    await this.#goOnIn(next);
    return aside;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Whether the file has the bytes that were written. A changed time alone is no damage. */
  async #isIntact(): Promise<boolean> {
    this.#lookedAt = performance.now();
    const file = await openRegular(this.#path, constants.O_RDONLY);
    const found = createHash('sha256');
    for await (const bytes of file.createReadStream() as AsyncIterable<Buffer>) found.update(bytes);
    return found.digest('hex') === this.#content.copy().digest('hex');
  }

  /** Removes a partial write, so that it does not become the start of a line. */
  async #cutTorn(): Promise<void> {
    if (!this.#torn) return;
    await this.#file.truncate(this.#size);
    this.#torn = false;
  }

  async #rotate(): Promise<void> {
    if (this.#size < this.#options.rotateBytes) return;
    const { directory } = this.#options;
    await this.#cutTorn();
    await this.#file.datasync();
    // Created first: if that fails, the current file stays in use.
    const prepared = join(directory, `${CURRENT}.next`);
    const next = await openRegular(prepared, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    await rename(this.#path, join(directory, rotatedName(this.#fileStart)));
    await rename(prepared, this.#path);
    await this.#goOnIn(next);
  }

  async #goOnIn(next: FileHandle): Promise<void> {
    const before = this.#file;
    this.#file = next;
    this.#size = 0;
    this.#content = createHash('sha256');
    this.#torn = false;
    this.#changedNs = undefined;
    this.#fileStart = this.#head.seq + 1;
    await before.close();
  }
}
