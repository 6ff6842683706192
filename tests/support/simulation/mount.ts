import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { SimDisk } from './disk.ts';
import { errno, flagsOf, grown, type Inode, type StatOptions, statsOf, textOf } from './inode.ts';

/** The calls of `node:fs/promises` on which the simulated disk answers; and one of `node:fs`. */
export type DiskCalls = Readonly<Record<DiskCall, (...args: never[]) => unknown>>;
export const DISK_CALLS = [
  'open',
  'readFile',
  'readdir',
  'mkdir',
  'stat',
  'lstat',
  'rename',
  'unlink',
  'symlink',
  'readlink',
] as const;
type DiskCall = (typeof DISK_CALLS)[number] | 'createReadStream';

/** Milliseconds that a change takes. */
const CHANGE_MS = 1;

/** The disk as one process sees it. */
export class DiskMount {
  readonly #disk: SimDisk;
  readonly #random: () => number;
  #alive = true;
  /** What the end of the process leaves of the writes that are under way. */
  readonly #partly = new Set<() => void>();
  readonly #pending = new Set<() => void>();
  readonly #syncs: boolean;
  /** The open files, by their descriptor. */
  readonly #files = new Map<number, { readonly inode: number }>();
  #opened = 2;
  /** Changes that this process has made. */
  changes = 0;

  /** @param syncs whether a sync does anything */
  constructor(disk: SimDisk, random: () => number, syncs = true) {
    this.#disk = disk;
    this.#random = random;
    this.#syncs = syncs;
  }

  /** As flock(2): until the file is closed, or the process ends. */
  lock(fd: number): boolean {
    const file = this.#files.get(fd);
    return file !== undefined && this.#disk.lock(file, file.inode);
  }

  /** The process ended: no call of it changes anything any more. A write that is under way is done in part, or not at all. */
  kill(): void {
    if (this.#disk.fault === undefined) for (const inPart of this.#partly) if (this.#random() < 0.5) inPart();
    this.#alive = false;
    for (const file of this.#files.values()) this.#disk.unlock(file);
    // What waits in the module scope of the program, and so outlives this process here, goes on with an error.
    for (const end of this.#pending) end();
  }

  readonly calls: DiskCalls = {
    open: (path: string, flags: string | number = 'r') =>
      this.#open(path, typeof flags === 'number' ? flags : flagsOf(flags)),
    readFile: (path: string, encoding?: 'utf8') => this.#look(() => textOf(this.#at(path).data, encoding)),
    createReadStream: (path: string) => this.#stream(() => this.#at(path)),
    readdir: (path: string) =>
      this.#look(() => {
        this.#at(path);
        const below = [...this.#disk.names.keys()].filter((name) => dirname(name) === path);
        return below.map((name) => name.slice(path.length + 1)).sort();
      }),
    mkdir: async (path: string) => {
      if (!this.#disk.names.has(path)) await this.#change(() => this.#disk.make(path, 'directory'));
    },
    stat: (path: string, options?: StatOptions) => this.#look(() => statsOf(this.#at(path), options)),
    lstat: (path: string, options?: StatOptions) => this.#look(() => statsOf(this.#at(path), options)),
    rename: (from: string, to: string) =>
      this.#change(() => {
        if (this.#disk.names.get(to)?.kind === 'directory') throw errno('EISDIR');
        this.#disk.names.set(to, this.#at(from));
        this.#disk.names.delete(from);
      }),
    unlink: (path: string) =>
      this.#change(() => {
        this.#at(path);
        this.#disk.names.delete(path);
      }),
    symlink: (target: string, path: string) =>
      this.#change(() => {
        if (this.#disk.names.has(path)) throw errno('EEXIST');
        this.#disk.make(path, 'link', Buffer.from(target));
      }),
    readlink: (path: string) => this.#look(() => this.#at(path).data.toString('utf8')),
  };

  #at(path: string): Inode {
    const inode = this.#disk.names.get(path);
    if (!inode) throw errno('ENOENT');
    if (this.#disk.denied.has(path)) throw errno('EACCES');
    return inode;
  }

  #look<T>(answer: () => T): Promise<T> {
    return this.#call(0, answer);
  }

  #change<T>(apply: (full: boolean) => T, inPart?: () => void): Promise<T> {
    return this.#call(CHANGE_MS, apply, inPart);
  }

  #call<T>(ms: number, apply: (full: boolean) => T, inPart?: () => void): Promise<T> {
    const disk = this.#disk;
    return new Promise((resolve, reject) => {
      const end = () => reject(errno('EIO'));
      if (!this.#alive) return end();
      this.#pending.add(end);
      if (inPart) this.#partly.add(inPart);
      const go = () => {
        if (!this.#alive) return;
        if (disk.fault === 'hangs') return disk.wait(go);
        this.#pending.delete(end);
        if (inPart) this.#partly.delete(inPart);
        try {
          if (ms > 0 && disk.fault === 'refuses') throw errno('EIO');
          const result = apply(disk.fault === 'full');
          if (ms > 0) this.changes++;
          if (ms > 0 && disk.fault === 'keeps and refuses') throw errno('EIO');
          resolve(result);
        } catch (error) {
          reject(error);
        }
      };
      if (ms > 0) disk.clock.after(ms, go);
      else go();
    });
  }

  #open(path: string, flags: number): Promise<object> {
    const known = this.#disk.names.get(path);
    if (!known && (flags & constants.O_CREAT) === 0) return this.#look(() => this.#at(path));
    if (!known) return this.#change(() => this.#handle(this.#disk.make(path, 'file')));
    return this.#look(() => {
      if ((flags & constants.O_EXCL) !== 0) throw errno('EEXIST');
      return this.#handle(this.#at(path));
    });
  }

  #handle(inode: Inode): object {
    const disk = this.#disk;
    const add = (bytes: Uint8Array) => disk.set(inode, grown(inode, bytes));
    const put = (bytes: Uint8Array) =>
      this.#change(
        (full) => {
          if (full && bytes.length > 0) throw errno('ENOSPC');
          add(bytes);
          return { bytesWritten: bytes.length };
        },
        () => add(bytes.subarray(0, Math.floor(this.#random() * bytes.length))),
      );
    const sync = () => this.#change(() => (this.#syncs ? disk.sync(inode) : undefined));
    const fd = ++this.#opened;
    const file = { inode: inode.number };
    this.#files.set(fd, file);
    return {
      fd,
      write: (bytes: Uint8Array, offset = 0) => put(bytes.subarray(offset)),
      writeFile: async (content: Uint8Array | string) => void (await put(Buffer.from(content as string))),
      readFile: (encoding?: 'utf8') => this.#look(() => textOf(inode.data, encoding)),
      createReadStream: () => this.#stream(() => inode),
      truncate: (size: number) => this.#change(() => disk.set(inode, Buffer.from(inode.data.subarray(0, size)))),
      stat: (options?: StatOptions) => this.#look(() => statsOf(inode, options)),
      sync,
      datasync: sync,
      chmod: async () => {},
      close: async () => {
        this.#files.delete(fd);
        disk.unlock(file);
      },
    };
  }

  #stream(from: () => Inode): AsyncIterable<Buffer> {
    const read = () => this.#look(() => from().data);
    return {
      [Symbol.asyncIterator]: async function* () {
        const bytes = await read();
        if (bytes.length > 0) yield bytes;
      },
    };
  }
}
