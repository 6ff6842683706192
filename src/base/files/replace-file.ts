import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { createNew, fill, moveTo } from './write-atomically.ts';

/** The file was not replaced and is unchanged. */
export class NotReplaced extends Error {
  override readonly name = 'NotReplaced';
}

/** An edit takes milliseconds: an older temporary file was left by a killed process. */
const STALE_MS = 60_000;

/**
 * Replaces `before` with `after` atomically: a reader sees either version, complete. Symbolic links, mode and owner are kept.
 * Rejects with {@link NotReplaced} if the file no longer contains `before`, or another process is editing it.
 */
export async function replaceFile(path: string, before: Buffer, after: Buffer): Promise<void> {
  const real = await realpath(path);
  // A fixed name: the temporary file is also the lock between two edits.
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
    throw new NotReplaced(`another process is editing the file (${temporary} exists); try again`);
  }
  await unlink(temporary);
  return createNew(temporary);
}

/** Writes `after` with the mode and owner of `real`, if `real` still contains `before`. */
async function fillLike(file: FileHandle, real: string, before: Buffer, after: Buffer): Promise<void> {
  const old = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { uid, gid, mode } = await old.stat();
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
    await fill(file, after, mode & 0o7777);
    // Checked last: only microseconds remain before the rename.
    if (!(await old.readFile()).equals(before))
      throw new NotReplaced('another process has changed the file; try again');
  } finally {
    await old.close();
  }
}
