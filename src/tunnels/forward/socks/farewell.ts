import type { Socket } from 'node:net';

/** A client that was refused may take this long to close its side, in milliseconds. */
const LINGER_MS = 1_000;

/**
 * Sends the last words, and closes once the client has. Closing at once could cost it the words: with bytes of the
 * client still unread, the kernel resets the connection and throws away what the client has not read yet.
 */
export function farewell(socket: Socket, words: Buffer): void {
  if (socket.destroyed) return;
  socket.end(words);
  socket.once('end', () => socket.destroySoon());
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
