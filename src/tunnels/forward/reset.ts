import type { Socket } from 'node:net';

/**
 * Ends a client's connection by RST, so that the client cannot take a truncated answer for a whole one. A Unix socket
 * has no reset: its client sees the end of the stream, or ECONNRESET if bytes of the client were still unread
 * (unix(7)).
 */
export function resetClient(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // ERR_INVALID_HANDLE_TYPE: not TCP. Node has no public way to ask before.
    socket.destroy();
  }
}
