import { readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import { privateDirectory } from '../../base/files/private-directory.ts';
import { isRunning, pidOf, processIdentity } from '../../base/process/identity.ts';

const LOCK = 'events.lock';

/** The start of the daemon waits no longer for the disk, in milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * Locks the evidence of a state directory for this process: two writers would break the chain. The lock is a symbolic link
 * that names its owner; it is atomic and works on a full disk. The lock of a dead owner is taken over. Returns the release
 * function. Rejects with `state_dir_unusable`.
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK);
  const own = processIdentity(process.pid);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await symlink(own, path);
      return () => release(path, own);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const owner = await readlink(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (owner === undefined) continue;
    // Held since the start of this daemon: never let go in between.
    if (owner === own) return () => release(path, own);
    if (isRunning(owner))
      throw new TunnelError(
        'state_dir_unusable',
        `another daemon (pid ${pidOf(owner)}) uses the state directory ${directory}`,
        {
          hint: 'Give each daemon its own state_dir.',
        },
      );
    await unlink(path).catch(() => {});
  }
  throw new TunnelError('state_dir_unusable', `cannot lock ${path}: another daemon keeps taking the lock`);
}

/**
 * Takes the state directory for this process, before anything in the directory is read or written. Rejects with
 * `state_dir_unusable` when another daemon holds the directory. A directory that is unusable, or does not answer in time,
 * is no reason to fail: the evidence tries again later, and undefined is returned. Otherwise returns what releases the
 * directory.
 */
export async function ownStateDirectory(
  directory: string,
  patienceMs = PATIENCE_MS,
): Promise<(() => Promise<void>) | undefined> {
  const taken = privateDirectory(directory).then(
    () => takeLock(directory),
    () => undefined,
  );
  const expired = () => new Error('the state directory does not answer');
  try {
    return await withDeadline(patienceMs, undefined, expired, (inTime) => abortable(taken, inTime));
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    return undefined;
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === own) await unlink(path).catch(() => {});
}
