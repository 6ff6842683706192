import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stateError } from './state-error.ts';

const TEMPORARY = /^\..*\.[0-9a-f]{12}\.tmp$/;

/** Names of the temporary files that this process is writing now. */
const underWay = new Set<string>();

/**
 * Writes a file atomically: after a crash or a power cut the file has either its old content or the new content. Steps:
 * a temporary file beside the target, fsync, rename(2), fsync of the directory. Rejects with `state_dir_unusable` on a
 * read-only or full disk, and leaves nothing behind then. The umask does not affect `mode`.
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

/** Whether `name` is a leftover of an interrupted {@link writeAtomically}, not a write of this process. */
export function isLeftOver(name: string): boolean {
  return TEMPORARY.test(name) && !underWay.has(name);
}

/** Creates a new file with mode 0600. Rejects with `EEXIST` if the path exists, also as a symbolic link. */
export function createNew(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
}

/** Sets the mode (regardless of the umask) and the content of a new file. Settles when both are on the disk. */
export async function fill(file: FileHandle, bytes: Uint8Array | string, mode: number): Promise<void> {
  await file.chmod(mode);
  await file.writeFile(bytes);
  await file.sync();
}

/**
 * Renames a new file to its final path, atomically. The rename is durable only after fsync of the directory. Some file
 * systems cannot sync a directory and do not need to (EINVAL).
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
