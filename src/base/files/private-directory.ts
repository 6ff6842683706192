import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TunnelError } from '../errors.ts';
import { stateError } from './state-error.ts';
import { isLeftOver } from './write-atomically.ts';

/**
 * Makes a directory of the daemon's own, 0700 as are its parents where missing, or finds that it is one: a directory, of
 * the daemon's user or root, where nobody else may write, since whoever writes there chooses what the daemon remembers.
 * The same is asked of each directory from `root` (the state directory) down. That others may list it (systemd's
 * StateDirectory= is 0755) is fine: the files are 0600. What an interrupted write has left is removed. Returns the path;
 * rejects with `state_dir_unusable`.
 */
export async function privateDirectory(root: string, ...below: string[]): Promise<string> {
  // With DynamicUser= the state directory is a symbolic link of systemd's; below it nobody but us makes any.
  await makePrivate(root, stat);
  let path = root;
  for (const name of below) {
    path = join(path, name);
    await makePrivate(path, lstat);
  }
  const names = await readdir(path).catch((error: unknown) => {
    throw stateError('read', path, error);
  });
  // On a read-only file system they stay: whoever writes is told.
  await Promise.all(names.filter(isLeftOver).map((name) => unlink(join(path, name)).catch(() => {})));
  return path;
}

async function makePrivate(path: string, look: (path: string) => Promise<Stats>): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    // Something else of that name: the check says so.
    if (error.code !== 'EEXIST') throw stateError('made', path, error);
  });
  const stats = await look(path).catch((error: unknown) => {
    throw stateError('read', path, error);
  });
  check(path, stats);
}

function check(path: string, stats: Stats): void {
  const refuse = (why: string, hint: string) => new TunnelError('state_dir_unusable', `${path} ${why}`, { hint });
  if (!stats.isDirectory()) throw refuse('is not a directory', 'Name another state_dir, or move it away.');
  const uid = process.geteuid?.() ?? 0;
  if (stats.uid !== uid && stats.uid !== 0) {
    throw refuse(`belongs to another user (uid ${stats.uid})`, 'It has to belong to the daemon user.');
  }
  if ((stats.mode & 0o022) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw refuse(`may be written by other users (mode ${mode})`, 'Take that away: `chmod 700` it.');
  }
}
