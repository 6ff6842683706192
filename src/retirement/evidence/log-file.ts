import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Head } from './chain.ts';
import { chainEntry, type Entry, hashLine, type NewEntry } from './entry.ts';
import { CURRENT, rotatedName } from './files.ts';
import { KnownHead } from './head.ts';

export interface LogFileOptions {
  readonly directory: string;
  /** A larger file is rotated, in bytes. */
  readonly rotateBytes: number;
}

/** The end of the log. */
export interface LogEnd {
  /** The current file, open for appending. */
  readonly file: FileHandle;
  /** Of the current file, in bytes. */
  readonly size: number;
  /** Number of the first entry of the current file. */
  readonly fileStart: number;
  readonly head: Head;
}

/** Appends entries to the log on disk and continues its chain. One caller at a time. */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #knownHead: KnownHead;
  #file: FileHandle;
  #size: number;
  #fileStart: number;
  #head: Head;
  /** Whether the file may end with a partial write. */
  #torn = false;

  constructor(options: LogFileOptions, { file, size, fileStart, head }: LogEnd) {
    this.#options = options;
    this.#knownHead = new KnownHead(options.directory);
    this.#file = file;
    this.#size = size;
    this.#fileStart = fileStart;
    this.#head = head;
  }

  /** The last entry on the disk. */
  get head(): Head {
    return this.#head;
  }

  /**
   * Appends the entries together, and flushes them if `durable`. Settles with the entries as written. Rejects with the error
   * of the disk; then the same entries can be appended again.
   */
  async append(added: readonly NewEntry[], durable: boolean): Promise<readonly Entry[]> {
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
    await this.#refuseOtherWriters();
    this.#torn = true;
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done);
      done += bytesWritten;
    }
    if (durable) await this.#file.datasync();
    this.#torn = false;
    this.#size += bytes.length;
    this.#head = head;
    if (durable) await this.#knownHead.write(head);
    return entries;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Removes a partial write, so that it does not become the start of a line. */
  async #cutTorn(): Promise<void> {
    if (!this.#torn) return;
    await this.#file.truncate(this.#size);
    this.#torn = false;
  }

  /** A second daemon on the same state directory would break the chain of both. */
  async #refuseOtherWriters(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size !== this.#size)
      throw new Error(`another process changed ${CURRENT} (${size} bytes instead of ${this.#size})`);
  }

  async #rotate(): Promise<void> {
    if (this.#size < this.#options.rotateBytes) return;
    const { directory } = this.#options;
    await this.#cutTorn();
    await this.#file.datasync();
    // Created first: if that fails, the current file stays in use.
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
