import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TunnelError } from '../errors.ts';
import { stateError } from './state-error.ts';
import { isLeftOver } from './write-atomically.ts';

/**
 * Creates a private directory (0700) and its missing parents, or checks an existing one. An existing directory must
 * belong to the daemon user or root, and nobody else may write there: a writer could change what the daemon remembers.
 * The check covers each directory from `root` (the state directory) down. Other users may list the directory (systemd's
 * StateDirectory= is 0755), because the files are 0600. Removes the leftovers of interrupted writes. Returns the path;
 * rejects with `state_dir_unusable`.
 */
export async function privateDirectory(root: string, ...below: string[]): Promise<string> {
  await privateRoot(root);
  let path = root;
  for (const name of below) {
    path = join(path, name);
    await makePrivate(path, lstat);
  }
  const names = await readdir(path).catch((error: unknown) => {
    throw stateError('read', path, error);
  });
  // On a read-only file system the leftovers stay: the next write reports the error.
  await Promise.all(names.filter(isLeftOver).map((name) => unlink(join(path, name)).catch(() => {})));
  return path;
}

/** As {@link privateDirectory}, but changes nothing in an existing directory: another process may be its owner. */
export async function privateRoot(root: string): Promise<void> {
  // With DynamicUser= systemd makes the state directory a symbolic link. Below the state directory links are not
  // expected.
  await makePrivate(root, stat);
}

async function makePrivate(path: string, look: (path: string) => Promise<Stats>): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    // The path exists but is no directory: the check reports the problem.
    if (error.code !== 'EEXIST') throw stateError('created', path, error);
  });
  const stats = await look(path).catch((error: unknown) => {
    throw stateError('read', path, error);
  });
  check(path, stats);
}

function check(path: string, stats: Stats): void {
  const refuse = (why: string, hint: string) => new TunnelError('state_dir_unusable', `${path} ${why}`, { hint });
  if (!stats.isDirectory()) throw refuse('is not a directory', 'Set another state_dir, or move the file away.');
  const uid = process.geteuid?.() ?? 0;
  if (stats.uid !== uid && stats.uid !== 0) {
    throw refuse(`belongs to another user (uid ${stats.uid})`, 'Give the directory to the daemon user with chown.');
  }
  if ((stats.mode & 0o022) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw refuse(`is writable by other users (mode ${mode})`, `Run \`chmod 700 ${path}\`.`);
  }
}
