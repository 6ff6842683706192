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
