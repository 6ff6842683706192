import { constants } from 'node:fs';

/** A file, directory or link of the simulated disk. */
export interface Inode {
  readonly number: number;
  readonly kind: 'file' | 'directory' | 'link';
  data: Buffer;
  /** What a power cut leaves. */
  synced: Buffer;
  /** Another one after each change. */
  changed: number;
  /** The memory behind the content, of which so many bytes were ever used. */
  room?: { readonly memory: Buffer; used: number };
}

/**
 * The content with more bytes behind. Earlier contents stay as they are. Only bytes that were never used are written to, so a
 * log that grows is not copied with each line.
 */
export function grown(inode: Inode, bytes: Uint8Array): Buffer {
  const { data } = inode;
  const length = data.length + bytes.length;
  let { room } = inode;
  if (!room || data.buffer !== room.memory.buffer || data.length !== room.used || length > room.memory.length) {
    room = { memory: Buffer.allocUnsafeSlow(Math.max(256, 2 * length)), used: 0 };
    data.copy(room.memory);
    inode.room = room;
  }
  room.memory.set(bytes, data.length);
  room.used = length;
  return room.memory.subarray(0, length);
}

/** What the calls for the facts of a file take. */
export interface StatOptions {
  readonly bigint?: boolean;
}

/** Asked at each look at a file. */
const OWNER = process.geteuid?.() ?? 0;

/** The facts of a file, as stat(2) tells them. */
export function statsOf({ number, kind, data, changed }: Inode, { bigint = false }: StatOptions = {}) {
  const as = bigint ? BigInt : Number;
  return {
    dev: as(1),
    ino: as(number),
    uid: as(OWNER),
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

/** The content as the caller wants it. */
export function textOf(data: Buffer, encoding: 'utf8' | undefined): string | Buffer {
  return encoding === undefined ? data : data.toString(encoding);
}

/** The flags of open(2). Throws for flags that the program does not use. */
export function flagsOf(flags: string): number {
  if (flags === 'a') return constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY;
  if (flags === 'r') return constants.O_RDONLY;
  throw new Error(`the simulated disk does not know the flags ${flags}`);
}

/** The error of a system call. */
export function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
