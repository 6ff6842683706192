import { chmodSync, closeSync, lstatSync, openSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { link, mkdtemp } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { findStaleSocket, isSameFile, removeStaleSocket, taken } from './stale-socket.ts';

/** The owner of a socket, and who may connect. */
export interface SocketOwner {
  /** As in "the tunnel"; messages start with this text. */
  readonly who: string;
  /** Permission bits of the socket file: connect(2) needs write permission. */
  readonly mode: number;
}

/** Only the daemon's own user may connect. */
const TUNNEL: SocketOwner = { who: 'the tunnel', mode: 0o600 };

/**
 * Makes the server listen at `path` and returns the function that closes the server. The socket is bound in a private
 * directory (0700) beside the path, gets its mode there, and then its name by link(2). Three things follow. Other users
 * can never connect, whatever the umask (which all threads of the process share). A socket at `path` always answers.
 * An existing file at `path` is never overwritten.
 */
export async function listenUnix(server: Server, path: string, owner: SocketOwner = TUNNEL): Promise<() => void> {
  const { who, mode } = owner;
  const stale = await findStaleSocket(path, who);
  const privately = await mkdtemp(join(dirname(path), '.fleet-mesh-'));
  const directory = openOwn(privately);
  try {
    // Through the descriptor, because the private path may be longer than bind(2) allows (107 bytes).
    const bound = `/proc/self/fd/${directory}/s`;
    await listening(server, bound);
    try {
      chmodSync(bound, mode);
      const own = lstatSync(bound);
      if (stale !== undefined) await removeStaleSocket(path, stale, privately, who);
      await link(bound, path).catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'EEXIST'
          ? taken(who, path, 'another program has just started to listen there', error)
          : error;
      });
      let closed = false;
      return () => {
        if (closed) return;
        closed = true;
        // The socket is still bound, so no other file can have its inode number.
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

/** Sets the mode because a umask may have removed the bits of the owner; only root works without them. */
function openOwn(directory: string): number {
  try {
    chmodSync(directory, 0o700);
    return openSync(directory, 'r');
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
}

/** libuv removes its bound file by the path, which names the descriptor. So the descriptor is closed last. */
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

/** A file that replaced the socket meanwhile stays. */
function removeIfSame(path: string, own: Stats): void {
  try {
    if (isSameFile(lstatSync(path), own)) unlinkSync(path);
  } catch {
    // The file or its directory is gone already.
  }
}
