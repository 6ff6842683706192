import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stateError } from './state-error.ts';

const TEMPORARY = /^\..*\.[0-9a-f]{12}\.tmp$/;

/** Names of the temporary files that this process is writing now. */
const underWay = new Set<string>();

/**
 * Writes a file so that after a crash or a power cut at any instant it has either its old content or the new one, whole:
 * a temporary file beside it, fsync, rename(2), fsync of the directory. Rejects with `state_dir_unusable` on a read-only or
 * full disk, and leaves nothing behind then. `mode` holds whatever the umask is.
 */
export async function writeAtomically(path: string, bytes: Uint8Array | string, mode = 0o600): Promise<void> {
  const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const temporary = join(dirname(path), name);
  underWay.add(name);
  try {
    const file = await createNew(temporary);
    try {
      await fill(file, bytes, mode);
    } finally {
      await file.close();
    }
    await moveTo(path, temporary);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw stateError('written', path, error);
  } finally {
    underWay.delete(name);
  }
}

/** Whether it is the name of what an interrupted {@link writeAtomically} has left, of which nobody takes care any more. */
export function isLeftOver(name: string): boolean {
  return TEMPORARY.test(name) && !underWay.has(name);
}

/** Begins a file, 0600, where there is none: with `EEXIST` it rejects whatever is there, a symbolic link too. */
export function createNew(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}

/** Gives a new file its mode, whatever the umask is, and its content; both are on the disk when this settles. */
export async function fill(file: FileHandle, bytes: Uint8Array | string, mode: number): Promise<void> {
  await file.chmod(mode);
  await file.writeFile(bytes);
  await file.sync();
}

/**
 * Moves a new file to the place that it is for, in one instant. The rename is only durable once the directory is; some file
 * systems cannot sync one, and need not (EINVAL).
 */
export async function moveTo(path: string, temporary: string): Promise<void> {
  await rename(temporary, path);
  const directory = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP') throw error;
    });
  } finally {
    await directory.close();
  }
}
