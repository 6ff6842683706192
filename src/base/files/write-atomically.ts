import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stateError } from './state-error.ts';

const TEMPORARY = /^\..*\.[0-9a-f]{12}\.tmp$/;

/**
 * Writes a file so that after a crash or a power cut at any instant it has either its old content or the new one, whole:
 * a temporary file beside it, fsync, rename(2), fsync of the directory. Rejects with `state_dir_unusable` on a read-only or
 * full disk, and leaves nothing behind then. `mode` holds whatever the umask is.
 */
export async function writeAtomically(path: string, bytes: Uint8Array | string, mode = 0o600): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeNew(temporary, bytes, mode);
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw stateError('written', path, error);
  }
}

/** Whether it is the name of what an interrupted {@link writeAtomically} has left. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

async function writeNew(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const file = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    await file.chmod(mode);
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The rename is only durable once the directory is; some file systems cannot sync one, and need not (EINVAL). */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync().catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP') throw error;
    });
  } finally {
    await directory.close();
  }
}
