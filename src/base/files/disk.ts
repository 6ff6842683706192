import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, readlink, rename, stat, symlink, unlink } from 'node:fs/promises';

/** An open file of a {@link Disk}. */
export interface OpenFile {
  write(bytes: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>;
  writeFile(content: Uint8Array | string): Promise<void>;
  chmod(mode: number): Promise<void>;
  truncate(size: number): Promise<void>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  stat(): Promise<{ readonly size: number }>;
  close(): Promise<void>;
}

/** The facts about a path that the state directory is checked by. */
export interface PathFacts {
  readonly uid: number;
  readonly mode: number;
  isDirectory(): boolean;
}

/** The calls to the file system behind the state directory: as in `node:fs/promises`. Tests replace the disk. */
export interface Disk {
  open(path: string, flags: string | number, mode?: number): Promise<OpenFile>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  createReadStream(path: string): AsyncIterable<Uint8Array>;
  readdir(path: string): Promise<string[]>;
  mkdir(path: string, options: { readonly recursive: true; readonly mode: number }): Promise<unknown>;
  stat(path: string): Promise<PathFacts>;
  lstat(path: string): Promise<PathFacts>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
}

/** The disk of this machine. */
export const DISK: Disk = {
  open,
  readFile,
  createReadStream: (path) => createReadStream(path) as AsyncIterable<Uint8Array>,
  readdir: (path) => readdir(path),
  mkdir,
  stat: (path) => stat(path),
  lstat: (path) => lstat(path),
  rename,
  unlink,
  symlink: (target, path) => symlink(target, path),
  readlink: (path) => readlink(path),
};
