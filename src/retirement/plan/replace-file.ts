import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory } from '../../base/files/write-atomically.ts';

/** The file could not be replaced, and is what it was. */
export class NotReplaced extends Error {
  override readonly name = 'NotReplaced';
}

/** An edit takes milliseconds: what is older was left behind by one that was killed. */
const STALE_MS = 60_000;

/**
 * Puts `after` in the place of `before`, in one instant: a reader sees the one or the other, whole. A symbolic link stays one; mode
 * and owner are kept. Rejects with {@link NotReplaced} when the file no longer holds `before`, or somebody else is editing it.
 */
export async function replaceFile(path: string, before: Buffer, after: Buffer): Promise<void> {
  const real = await realpath(path);
  const directory = dirname(real);
  // One name for all: it is also the lock between two edits.
  const temporary = join(directory, `.${basename(real)}.fleet-mesh`);
  const file = await create(temporary);
  try {
    await fill(file, real, before, after);
    await rename(temporary, real);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
  await syncDirectory(directory);
}

async function create(temporary: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    return await open(temporary, flags, 0o600);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  const { mtimeMs } = await stat(temporary).catch(() => ({ mtimeMs: Date.now() }));
  if (Date.now() - mtimeMs < STALE_MS) {
    throw new NotReplaced(`somebody else is editing it at this moment (${temporary} is there); try again`);
  }
  await unlink(temporary);
  return open(temporary, flags, 0o600);
}

async function fill(file: FileHandle, real: string, before: Buffer, after: Buffer): Promise<void> {
  const old = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { uid, gid, mode } = await old.stat();
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
    await file.chmod(mode & 0o7777);
    await file.writeFile(after);
    await file.sync();
    // As late as can be: what comes between this and the rename is microseconds.
    if (!(await old.readFile()).equals(before))
      throw new NotReplaced('it was changed by somebody else meanwhile; try again');
  } finally {
    await old.close();
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
