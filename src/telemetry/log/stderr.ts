import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Where finished log lines go. */
export interface LineSink {
  /** One line, with its newline. Never throws, never waits. */
  write(line: string): void;
}

const STDERR = 2;
const MAX_WAITING_BYTES = 256 * 1024;
const RETRY_MS = 100;

/** Sockets never used, only kept: collected as garbage they would close standard error. */
const kept = new Set<Socket>();

/**
 * Standard error as a synchronous sink that cannot hurt the daemon. A reader that stalls (a full pipe) makes lines wait
 * in a bounded buffer and then be dropped, with a count; a reader that is gone (EPIPE) loses them. Neither stops the
 * forwarding, which matters more than its log.
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

  /** Writes what it can of the oldest line; false when there is nothing to do, or not now. */
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
 * A descriptor for the same place that answers EAGAIN instead of blocking. A pipe or a terminal is opened anew, so that
 * the flag does not fall on those who share ours. A socket (journald) cannot be, but libuv sets the flag on whatever a
 * Socket is made of; `process.stderr` will not do, since it may have been made before a child that inherits the
 * descriptor was spawned, which takes the flag off again. A regular file never blocks.
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
    // Not permitted, or a socket: below.
  }
  try {
    kept.add(new Socket({ fd, readable: false, writable: true }).on('error', () => {}));
  } catch {
    // Something that libuv has no handle for: then it blocks if it must.
  }
  return fd;
}

/**
 * Whether standard error is the journal: `$JOURNAL_STREAM` holds device and inode of the stream that systemd connected.
 * The variable alone proves nothing, since children inherit it (systemd.exec(5)).
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
