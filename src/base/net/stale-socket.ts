import type { Stats } from 'node:fs';
import { link, lstat, rename, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { TunnelError } from '../errors.ts';

/** A live listener accepts at once; one that hangs for so many milliseconds is not dead either. */
const ANSWER_MS = 1_000;

const HINT = 'Choose another path, or move it away: only a socket of our own that nobody listens on is replaced.';

/**
 * What stands where a socket is to be bound: nothing (undefined), or a socket of ours that nobody listens on any more,
 * as kill -9 leaves it. `who` is for messages, as in "the tunnel". Rejects with `listen_in_use` for everything else. Symbolic links are not followed.
 */
export async function findStaleSocket(path: string, who: string): Promise<Stats | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isSocket()) throw taken(who, path, `${kindOf(found)} is there, which is never replaced`);
  if (found.uid !== process.geteuid?.()) throw taken(who, path, 'a socket of another user is there');
  if (await answers(path)) throw taken(who, path, 'another program listens there');
  return found;
}

/**
 * Takes the stale socket away, by way of a private directory on the same file system: if it is another file by now,
 * that one gets its name back.
 */
export async function removeStaleSocket(path: string, stale: Stats, privately: string, who: string): Promise<void> {
  const aside = join(privately, 'stale');
  await rename(path, aside);
  if (!isSameFile(await lstat(aside), stale)) {
    await link(aside, path);
    await unlink(aside);
    throw taken(who, path, 'another program has just begun to listen there');
  }
  await unlink(aside);
}

export function taken(who: string, path: string, why: string, cause?: unknown): TunnelError {
  return new TunnelError('listen_in_use', `${who} cannot listen on unix:${path}: ${why}`, { cause, hint: HINT });
}

export function isSameFile(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Whether somebody may be listening: unix(7) has ECONNREFUSED for a socket file that is bound to nothing. */
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
