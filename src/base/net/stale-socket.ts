import type { Stats } from 'node:fs';
import { link, lstat, rename, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { TunnelError } from '../errors.ts';

/** A live listener accepts at once. A listener that hangs this long, in milliseconds, also counts as live. */
const ANSWER_MS = 1_000;

const HINT = 'Choose another path, or move the file away. Only an unused socket of the daemon user is replaced.';

/**
 * Looks for a stale socket at `path`: our own socket without a listener, such as kill -9 leaves behind. Undefined if
 * the path is free. Rejects with `listen_in_use` for any other file. Symbolic links are not followed. `who` is for
 * messages, as in "the tunnel".
 */
export async function findStaleSocket(path: string, who: string): Promise<Stats | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isSocket()) throw taken(who, path, `the path is ${kindOf(found)}`);
  if (found.uid !== process.geteuid?.()) throw taken(who, path, 'the socket belongs to another user');
  if (await answers(path)) throw taken(who, path, 'another program listens there');
  return found;
}

/**
 * Removes the stale socket by moving the file into a private directory on the same file system. If another program has
 * replaced the file meanwhile, that file gets its name back.
 */
export async function removeStaleSocket(path: string, stale: Stats, privately: string, who: string): Promise<void> {
  const aside = join(privately, 'stale');
  await rename(path, aside);
  if (!isSameFile(await lstat(aside), stale)) {
    await link(aside, path);
    await unlink(aside);
    throw taken(who, path, 'another program has just started to listen there');
  }
  await unlink(aside);
}

export function taken(who: string, path: string, why: string, cause?: unknown): TunnelError {
  return new TunnelError('listen_in_use', `${who} cannot listen on unix:${path}: ${why}`, { cause, hint: HINT });
}

export function isSameFile(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Whether a program may be listening. unix(7): a socket file without a listener gives ECONNREFUSED. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle(true), ANSWER_MS);
    socket.once('connect', () => settle(true));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED'));
  });
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isDirectory()) return 'a directory';
  return stats.isFile() ? 'a regular file' : 'a special file';
}
