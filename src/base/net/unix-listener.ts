import { chmodSync, closeSync, lstatSync, openSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { link, mkdtemp } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { findStaleSocket, isSameFile, removeStaleSocket, taken } from './stale-socket.ts';

/** Whose socket it is, and who may use it. */
export interface SocketOwner {
  /** As in "the tunnel"; messages start with it. */
  readonly who: string;
  /** Permission bits of the socket file: connect(2) needs write permission. */
  readonly mode: number;
}

/** Only the daemon's own user may connect. */
const TUNNEL: SocketOwner = { who: 'the tunnel', mode: 0o600 };

/**
 * Makes the server listen at `path` and returns what closes it. It is bound in a private directory (0700)
 * beside the path, gets its mode there, and only then its name, by link(2). So there is no moment at which others could
 * connect, whatever the umask (which belongs to the whole process, its threads included), none at which a socket of that
 * name does not answer, and whatever bears the name already is never written over.
 */
export async function listenUnix(server: Server, path: string, owner: SocketOwner = TUNNEL): Promise<() => void> {
  const { who, mode } = owner;
  const stale = await findStaleSocket(path, who);
  const privately = await mkdtemp(join(dirname(path), '.fleet-mesh-'));
  const directory = openOwn(privately);
  try {
    // By way of the descriptor, since the private name may be longer than bind(2) takes (107 bytes).
    const bound = `/proc/self/fd/${directory}/s`;
    await listening(server, bound);
    try {
      chmodSync(bound, mode);
      const own = lstatSync(bound);
      if (stale !== undefined) await removeStaleSocket(path, stale, privately, who);
      await link(bound, path).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST'
          ? taken(who, path, 'another program has just begun to listen there', error)
          : error;
      });
      let closed = false;
      return () => {
        if (closed) return;
        closed = true;
        // Still bound, so that no other file can have its inode number.
        removeIfSame(path, own);
        closeAll(server, directory);
      };
    } finally {
      unlinkSync(bound);
    }
  } catch (error) {
    closeAll(server, directory);
    throw error;
  } finally {
    rmdirSync(privately);
  }
}

/** A umask may have taken the owner's own bits away, which only root does without. */
function openOwn(directory: string): number {
  try {
    chmodSync(directory, 0o700);
    return openSync(directory, 'r');
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
}

/** libuv removes the file that it has bound, by its name: the descriptor in that must not be another's by then. */
function closeAll(server: Server, directory: number): void {
  server.close();
  closeSync(directory);
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Whoever replaced the file meanwhile keeps theirs. */
function removeIfSame(path: string, own: Stats): void {
  try {
    if (isSameFile(lstatSync(path), own)) unlinkSync(path);
  } catch {
    // Gone already, or its directory is: nothing is left to remove.
  }
}
