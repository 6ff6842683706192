import { connect } from 'node:net';
import { waitUntil } from '../wait-until.ts';

/**
 * Waits until nobody listens on the port of loopback. A client of a listener that is about to close may be served, or be
 * reset in the listener's queue.
 */
export async function refuses(port: number): Promise<void> {
  await waitUntil(`port ${port} refuses clients`, () => isRefused(port));
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}
