import { readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import { isRunning, pidOf, processIdentity } from '../../base/process/identity.ts';

const LOCK = 'events.lock';

/** Another process has the state directory. */
export class DirectoryTaken extends TunnelError {
  constructor(directory: string, pid: string | undefined) {
    const who = pid === undefined ? 'another process' : `another daemon (pid ${pid})`;
    super('state_dir_unusable', `${who} uses the state directory ${directory}`, {
      hint: 'Give each daemon its own state_dir.',
    });
  }
}

/**
 * Marks a state directory as that of this process. The mark is a symbolic link that names its owner; it is atomic and works
 * on a full disk. The mark of a dead owner is taken over. Returns the release function. Rejects with
 * {@link DirectoryTaken} or the error of the disk.
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
    if (isRunning(owner)) throw new DirectoryTaken(directory, String(pidOf(owner)));
    await unlink(path).catch(() => {});
  }
  throw new TunnelError('state_dir_unusable', `cannot lock ${path}: another daemon keeps taking the lock`);
}

/** Who has the lock, in words for a person; the process may have ended. */
export async function holderOf(directory: string): Promise<string | undefined> {
  const owner = await readlink(join(directory, LOCK)).catch(() => undefined);
  return owner?.split(' ')[0];
}

async function release(path: string, own: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === own) await unlink(path).catch(() => {});
}
