import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { createNew, fill, moveTo } from '../../base/files/write-atomically.ts';

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
  // One name for all: it is also the lock between two edits.
  const temporary = join(dirname(real), `.${basename(real)}.fleet-mesh`);
  const file = await lock(temporary);
  try {
    await fillLike(file, real, before, after);
    await moveTo(real, temporary);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

async function lock(temporary: string): Promise<FileHandle> {
  try {
    return await createNew(temporary);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const { mtimeMs } = await stat(temporary).catch(() => ({ mtimeMs: Date.now() }));
  if (Date.now() - mtimeMs < STALE_MS) {
    throw new NotReplaced(`somebody else is editing it at this moment (${temporary} is there); try again`);
  }
  await unlink(temporary);
  return createNew(temporary);
}

/** `after` with the mode and owner that `real` has, as long as that holds `before`. */
async function fillLike(file: FileHandle, real: string, before: Buffer, after: Buffer): Promise<void> {
  const old = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { uid, gid, mode } = await old.stat();
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
    await fill(file, after, mode & 0o7777);
    // As late as can be: what comes between this and the rename is microseconds.
    if (!(await old.readFile()).equals(before))
      throw new NotReplaced('it was changed by somebody else meanwhile; try again');
  } finally {
    await old.close();
  }
}
