import type { Socket } from 'node:net';

/**
 * Ends a client's connection so that it cannot take what it got for the whole: by RST. A Unix socket knows no reset; its
 * client sees the end of the stream, or ECONNRESET if bytes of its own were still unread (unix(7)).
 */
export function resetClient(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    // ERR_INVALID_HANDLE_TYPE: not TCP. There is no public way to ask before.
    socket.destroy();
  }
}
