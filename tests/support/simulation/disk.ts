import { dirname } from 'node:path';
import type { Disk, OpenFile, PathFacts } from '../../../src/base/files/disk.ts';
import type { SimClock } from './clock.ts';

/**
 * What is wrong with the disk. `refuses`: no change is taken. `full`: no byte more, but names can change. `hangs`: no answer
 * until it heals. `keeps and refuses`: a change is taken, and the answer is an error.
 */
export const DISK_FAULTS = ['refuses', 'full', 'hangs', 'keeps and refuses'] as const;
export type DiskFault = (typeof DISK_FAULTS)[number];

interface Inode {
  readonly kind: 'file' | 'directory' | 'link';
  data: Buffer;
  /** What a power cut leaves. */
  synced: Buffer;
}

/** Milliseconds that a change takes. */
const CHANGE_MS = 1;

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
  readonly #clock: SimClock;
  #names = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #waiting: (() => void)[] = [];

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  break(fault: DiskFault): void {
    const since = this.brokenSince ?? this.#clock.now;
    this.heal();
    this.fault = fault;
    this.brokenSince = since;
  }

  heal(): void {
    if (this.fault === undefined) return;
    this.fault = undefined;
    this.brokenSince = undefined;
    this.healedAt = this.#clock.now;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** The content of a file, for a look from outside; undefined without the file. */
  peek(path: string): string | undefined {
    return this.#names.get(path)?.data.toString('utf8');
  }

  /** Everything that is not synced is lost, but for a part of it that `random` says. */
  powerCut(random: () => number): void {
    this.#waiting = [];
    this.heal();
    this.#names = new Map(this.#durable);
    for (const inode of this.#names.values()) {
      const { data, synced } = inode;
      const grown = data.length > synced.length && data.subarray(0, synced.length).equals(synced);
      const kept = grown ? Math.floor(random() * (data.length - synced.length + 1)) : 0;
      inode.data = grown ? data.subarray(0, synced.length + kept) : synced;
      inode.synced = inode.data;
    }
  }

  /** The disk as a process sees it. `kill`: no change of the process is taken any more; one under way is taken in part. */
  mount(random: () => number): Disk & { kill(): void } {
    let alive = true;
    const partly = new Set<() => void>();
    const call = <T>(change: boolean, apply: (full: boolean) => T, inPart?: () => void): Promise<T> =>
      new Promise((resolve, reject) => {
        if (!alive) return;
        if (inPart) partly.add(inPart);
        const go = () => {
          if (!alive) return;
          if (this.fault === 'hangs') {
            this.#waiting.push(go);
            return;
          }
          if (inPart) partly.delete(inPart);
          try {
            if (change && this.fault === 'refuses') throw errno('EIO');
            const result = apply(change && this.fault === 'full');
            if (change && this.fault === 'keeps and refuses') throw errno('EIO');
            resolve(result);
          } catch (error) {
            reject(error);
          }
        };
        if (change) this.#clock.after(CHANGE_MS, go);
        else go();
      });
    const inodeOf = (path: string) => this.#names.get(path) ?? fail('ENOENT');
    const facts = (path: string) =>
      call(false, (): PathFacts => {
        const { kind } = inodeOf(path);
        return { uid: process.geteuid?.() ?? 0, mode: 0o700, isDirectory: () => kind === 'directory' };
      });
    const sync = (inode: Inode) =>
      call(true, () => {
        inode.synced = Buffer.from(inode.data);
        this.#durable = new Map(this.#names);
      });
    const open = (inode: Inode): OpenFile => {
      const add = (bytes: Uint8Array) => {
        inode.data = Buffer.concat([inode.data, bytes]);
      };
      const put = (bytes: Uint8Array) =>
        call(
          true,
          (full) => {
            if (full) throw errno('ENOSPC');
            add(bytes);
            return bytes.length;
          },
          () => add(bytes.subarray(0, Math.floor(random() * bytes.length))),
        );
      return {
        write: async (bytes, offset) => ({ bytesWritten: await put(bytes.subarray(offset)) }),
        writeFile: async (content) => void (await put(Buffer.from(content))),
        chmod: async () => {},
        truncate: (size) =>
          call(true, () => {
            inode.data = Buffer.from(inode.data.subarray(0, size));
          }),
        sync: () => sync(inode),
        datasync: () => sync(inode),
        stat: () => call(false, () => ({ size: inode.data.length })),
        close: async () => {},
      };
    };
    return {
      kill: () => {
        for (const inPart of this.fault === undefined ? partly : []) if (random() < 0.5) inPart();
        alive = false;
      },
      open: (path, flags) => {
        const known = this.#names.get(path);
        if (known)
          return flags !== 'a' && known.kind === 'file'
            ? Promise.reject(errno('EEXIST'))
            : call(false, () => open(known));
        return call(true, () => {
          const made: Inode = { kind: 'file', data: Buffer.alloc(0), synced: Buffer.alloc(0) };
          this.#names.set(path, made);
          return open(made);
        });
      },
      readFile: (path) => call(false, () => inodeOf(path).data.toString('utf8')),
      createReadStream: (path) => ({
        [Symbol.asyncIterator]: async function* () {
          const bytes = await call(false, () => inodeOf(path).data);
          if (bytes.length > 0) yield bytes;
        },
      }),
      readdir: (path) =>
        call(false, () => {
          inodeOf(path);
          const below = [...this.#names.keys()].filter((name) => dirname(name) === path && name !== path);
          return below.map((name) => name.slice(path === '/' ? 1 : path.length + 1)).sort();
        }),
      mkdir: async (path) => {
        if (this.#names.has(path)) return;
        await call(true, () => {
          this.#names.set(path, { kind: 'directory', data: Buffer.alloc(0), synced: Buffer.alloc(0) });
        });
      },
      stat: facts,
      lstat: facts,
      rename: (from, to) =>
        call(true, () => {
          this.#names.set(to, inodeOf(from));
          this.#names.delete(from);
        }),
      unlink: (path) =>
        call(true, () => {
          inodeOf(path);
          this.#names.delete(path);
        }),
      symlink: (target, path) =>
        call(true, () => {
          if (this.#names.has(path)) throw errno('EEXIST');
          const data = Buffer.from(target);
          this.#names.set(path, { kind: 'link', data, synced: data });
        }),
      readlink: (path) => call(false, () => inodeOf(path).data.toString('utf8')),
    };
  }
}

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

function fail(code: string): never {
  throw errno(code);
}
