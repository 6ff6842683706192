import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { SimClock } from './clock.ts';

/**
 * What is wrong with the disk. `refuses`: no change is taken. `full`: no byte more, but names can change. `hangs`: no answer
 * until it heals. `keeps and refuses`: a change is taken, and the answer is an error.
 */
export const DISK_FAULTS = ['refuses', 'full', 'hangs', 'keeps and refuses'] as const;
export type DiskFault = (typeof DISK_FAULTS)[number];

interface Inode {
  readonly number: number;
  readonly kind: 'file' | 'directory' | 'link';
  data: Buffer;
  /** What a power cut leaves. */
  synced: Buffer;
  /** Another one after each change. */
  changed: number;
}

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

/** A disk that lies about its cache has lost at most this many of its last syncs. */
const MOST_LOST_SYNCS = 6;

/**
 * A disk in memory, which outlives processes. As on a journaling file system, any sync makes all earlier changes of names
 * durable; the bytes of a file are durable once that file is synced.
 */
export class SimDisk {
  fault: DiskFault | undefined;
  /** Since when the disk has a fault; undefined without one. True time, in milliseconds, like `healedAt`. */
  brokenSince: number | undefined;
  /** The end of the last fault. */
  healedAt = 0;
  readonly clock: SimClock;
  names = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  /** What the disk had after each of its last syncs, oldest first. */
  #syncs: (readonly (readonly [string, Inode, Buffer])[])[] = [];
  /** Directories that a process has locked, as flock(2) does. */
  readonly #locks = new Map<number, object>();
  #waiting: (() => void)[] = [];
  #made = 0;
  #changes = 0;

  constructor(clock: SimClock) {
    this.clock = clock;
  }

  break(fault: DiskFault): void {
    const since = this.brokenSince ?? this.clock.now;
    this.heal();
    this.fault = fault;
    this.brokenSince = since;
  }

  heal(): void {
    if (this.fault === undefined) return;
    this.fault = undefined;
    this.brokenSince = undefined;
    this.healedAt = this.clock.now;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** The content of a file, for a look from outside; undefined without the file. */
  peek(path: string): string | undefined {
    return this.names.get(path)?.data.toString('utf8');
  }

  /** Everything that is not synced is lost, but for a part of it that `random` says. */
  powerCut(random: () => number): void {
    this.#waiting = [];
    this.heal();
    this.names = new Map(this.#durable);
    for (const inode of this.names.values()) {
      const { data, synced } = inode;
      const grown = data.length > synced.length && data.subarray(0, synced.length).equals(synced);
      const kept = grown ? Math.floor(random() * (data.length - synced.length + 1)) : 0;
      inode.data = grown ? data.subarray(0, synced.length + kept) : synced;
      inode.synced = inode.data;
    }
  }

  /** Like {@link powerCut}, but the disk has also lost syncs that it had confirmed: an older moment is back. */
  powerCutWithLostSyncs(random: () => number): void {
    this.powerCut(random);
    const before = this.#syncs.at(-1 - Math.floor(random() * this.#syncs.length));
    if (!before) return;
    this.names = new Map(before.map(([path, inode]) => [path, inode]));
    for (const [, inode, data] of before) inode.data = inode.synced = data;
    this.#durable = new Map(this.names);
    this.#syncs = [];
  }

  /** A copy of the files, as a backup has them. */
  copy(): ReadonlyMap<string, Buffer> {
    return new Map([...this.names].flatMap(([path, { kind, data }]) => (kind === 'file' ? [[path, data]] : [])));
  }

  /** Somebody else puts a file in place of the one at this path; undefined removes it. Durable at once. */
  replace(path: string, data: Buffer | undefined): void {
    if (data === undefined) this.names.delete(path);
    else this.sync(this.make(path, 'file', data));
    this.#durable = new Map(this.names);
  }

  /** Somebody else writes into the file. Durable at once. */
  overwrite(path: string, data: Buffer): void {
    const inode = this.names.get(path);
    if (!inode) return;
    this.set(inode, data);
    this.sync(inode);
  }

  /** As flock(2), which knows open files. */
  lock(file: object, inode: number): boolean {
    const holder = this.#locks.get(inode) ?? file;
    if (holder === file) this.#locks.set(inode, file);
    return holder === file;
  }

  unlock(file: object): void {
    for (const [inode, holder] of this.#locks) if (holder === file) this.#locks.delete(inode);
  }

  /** Goes on with the call when the disk answers again. */
  wait(go: () => void): void {
    this.#waiting.push(go);
  }

  make(path: string, kind: Inode['kind'], data: Buffer = Buffer.alloc(0)): Inode {
    const inode: Inode = { number: ++this.#made, kind, data, synced: Buffer.alloc(0), changed: ++this.#changes };
    this.names.set(path, inode);
    return inode;
  }

  set(inode: Inode, data: Buffer): void {
    inode.data = data;
    inode.changed = ++this.#changes;
  }

  sync(inode: Inode): void {
    inode.synced = inode.data;
    this.#durable = new Map(this.names);
    this.#syncs.push([...this.names].map(([path, each]) => [path, each, each.synced] as const));
    if (this.#syncs.length > MOST_LOST_SYNCS) this.#syncs.shift();
  }
}

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
      return this.#handle(known);
    });
  }

  #handle(inode: Inode): object {
    const disk = this.#disk;
    const add = (bytes: Uint8Array) => disk.set(inode, Buffer.concat([inode.data, bytes]));
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

interface StatOptions {
  readonly bigint?: boolean;
}

function statsOf({ number, kind, data, changed }: Inode, { bigint = false }: StatOptions = {}) {
  const as = bigint ? BigInt : Number;
  return {
    dev: as(1),
    ino: as(number),
    uid: as(process.geteuid?.() ?? 0),
    gid: as(0),
    mode: as(0o700),
    size: as(data.length),
    mtimeMs: as(changed),
    mtimeNs: BigInt(changed),
    ctimeNs: BigInt(changed),
    isFile: () => kind === 'file',
    isDirectory: () => kind === 'directory',
    isSymbolicLink: () => kind === 'link',
  };
}

function textOf(data: Buffer, encoding: 'utf8' | undefined): string | Buffer {
  return encoding === undefined ? data : data.toString(encoding);
}

function flagsOf(flags: string): number {
  if (flags === 'a') return constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY;
  if (flags === 'r') return constants.O_RDONLY;
  throw new Error(`the simulated disk does not know the flags ${flags}`);
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
