import type { Server } from 'node:net';
import { KEEPALIVE } from './keepalive.ts';

// Private parts of Node's servers, checked for each server. A server without them sets the options of each connection.

/** A bound TCP socket of Node. Each call returns 0, or a negative error of the system. */
interface Handle {
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
}

/** The options of a server that Node reads at each accept. */
interface Options {
  noDelay: boolean;
  keepAlive: boolean;
}

/**
 * As many connections as may wait in the backlog of Node's servers (511): the kernel may have made them before the socket
 * had its options. The connection after them is newer.
 */
const BACKLOG = 512;

/**
 * Sets the options of `SERVER_OPTIONS` on the listening socket, once it listens. On Linux each connection inherits them
 * (tcp(7)): five system calls less for each connection.
 *
 * @param backlog the connections that the server still gives the options itself
 */
export function inheritOptions(server: Server, backlog = BACKLOG): void {
  const options = server as Server & Partial<Options>;
  const handle = handleOf(server);
  const known = typeof options.noDelay === 'boolean' && typeof options.keepAlive === 'boolean';
  if (!known || !handle || process.platform !== 'linux') return;
  const seconds = KEEPALIVE.keepAliveInitialDelay / 1_000;
  if (handle.setNoDelay(true) !== 0 || handle.setKeepAlive(true, seconds) !== 0) return;
  let accepted = 0;
  const count = () => {
    if (++accepted < backlog) return;
    server.off('connection', count);
    options.noDelay = options.keepAlive = false;
  };
  server.on('connection', count);
}

function handleOf(server: Server): Handle | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle?: Partial<Handle> | null };
  const known = typeof handle?.setNoDelay === 'function' && typeof handle.setKeepAlive === 'function';
  return known ? (handle as Handle) : undefined;
}
