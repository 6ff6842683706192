import type { SimClock } from './clock.ts';
import type { Inode } from './inode.ts';

/**
 * What is wrong with the disk. `refuses`: no change is taken. `full`: no byte more, but names can change. `hangs`: no answer
 * until it heals. `keeps and refuses`: a change is taken, and the answer is an error.
 */
export const DISK_FAULTS = ['refuses', 'full', 'hangs', 'keeps and refuses'] as const;
export type DiskFault = (typeof DISK_FAULTS)[number];

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
  /** Files that the user of the daemon may not read. */
  readonly denied = new Set<string>();
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
    this.brokenSince ??= this.clock.now;
    this.fault = fault;
    // A call that hung meets the other fault: nothing has worked in between.
    this.#answer();
  }

  heal(): void {
    if (this.fault === undefined) return;
    this.fault = undefined;
    this.brokenSince = undefined;
    this.healedAt = this.clock.now;
    this.#answer();
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
  replace(path: string, data: Buffer | undefined | 'directory'): void {
    if (data === undefined) this.names.delete(path);
    else if (data === 'directory') this.make(path, 'directory');
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

  #answer(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  sync(inode: Inode): void {
    inode.synced = inode.data;
    this.#durable = new Map(this.names);
    this.#syncs.push([...this.names].map(([path, each]) => [path, each, each.synced] as const));
    if (this.#syncs.length > MOST_LOST_SYNCS) this.#syncs.shift();
  }
}
