import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** The destination of finished log lines. */
export interface LineSink {
  /** Writes one line, including its newline. Never throws, never waits. */
  write(line: string): void;
}

const STDERR = 2;
const MAX_WAITING_BYTES = 256 * 1024;
const RETRY_MS = 100;

/** Unused sockets, kept because garbage collection would close standard error. */
const kept = new Set<Socket>();

/**
 * Standard error as a synchronous sink that never blocks the daemon. If the reader stalls (a full pipe), lines wait in
 * a bounded buffer; further lines are dropped and counted. If the reader is gone (EPIPE), lines are lost. Forwarding
 * goes on in both cases, because forwarding matters more than the log.
 */
export class StderrSink implements LineSink {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(fd = nonBlocking(STDERR)) {
    this.#fd = fd;
    process.once('exit', () => this.#flush());
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#enqueue(bytes);
    this.#flush();
  }

  #enqueue(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #flush(): void {
    while (this.#advance()) {
      if (this.#waiting.length > 0 || this.#dropped === 0) continue;
      this.#enqueue(Buffer.from(`${JSON.stringify({ level: 'warn', event: 'log.dropped', lines: this.#dropped })}\n`));
      this.#dropped = 0;
    }
  }

  /** Writes a part of the oldest line; false if nothing is waiting or the reader is not ready. */
  #advance(): boolean {
    const bytes = this.#waiting[0];
    if (bytes === undefined) return false;
    try {
      const written = writeSync(this.#fd, bytes);
      this.#waitingBytes -= written;
      if (written === bytes.length) this.#waiting.shift();
      else this.#waiting[0] = bytes.subarray(written);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') {
        this.#tryLater();
      } else {
        this.#waiting = [];
        this.#waitingBytes = 0;
      }
      return false;
    }
  }

  #tryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#flush();
    }, RETRY_MS);
    this.#retry.unref();
  }
}

/**
 * A descriptor for the same file that returns EAGAIN instead of blocking. A pipe or a terminal is opened again, so that
 * other processes with our descriptor do not get the flag. A socket (journald) cannot be opened again, but libuv sets
 * the flag for a new Socket. `process.stderr` does not work: the spawn of a child that inherits the descriptor removes
 * the flag. A regular file never blocks.
 */
function nonBlocking(fd: number): number {
  const kind = fstatSync(fd);
  if (kind.isFile()) return fd;
  try {
    const opened = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const same = fstatSync(opened);
    if (same.dev === kind.dev && same.ino === kind.ino) return opened;
    closeSync(opened);
  } catch {
    // Not permitted, or a socket: see below.
  }
  try {
    kept.add(new Socket({ fd, readable: false, writable: true }).on('error', () => {}));
  } catch {
    // libuv has no handle for this kind of file: writes may block.
  }
  return fd;
}

/**
 * Whether standard error is the journal: `$JOURNAL_STREAM` has device and inode of the stream that systemd connected.
 * The variable alone proves nothing, because children inherit it (systemd.exec(5)).
 */
export function isJournal(journalStream: string | undefined, fd = STDERR): boolean {
  if (journalStream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
