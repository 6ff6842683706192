import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../address.ts';
import { listenError } from '../listen-error.ts';

/** A bound local address whose connections arrive paused: nothing is read before somebody wants it. */
export interface Listener {
  readonly address: Address;
  /** Stops accepting; connections that were accepted live on. */
  close(): Promise<void>;
}

/** Binds `address`. Rejects with `listen_in_use`, or `internal` for what else the system refuses. */
export function listen(
  address: Address,
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
    server.once('error', (error) => reject(listenError(address, 'the tunnel', 'listen', error)));
    server.listen(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }, () => {
      server.removeAllListeners('error');
      // From here on an error is about one accept (EMFILE, ECONNABORTED): the listener itself lives.
      server.on('error', onError);
      resolve({ address, close: () => close(server) });
    });
  });
}

/** Does not wait for the connections: the server's own close would. */
function close(server: Server): Promise<void> {
  server.close();
  return new Promise((resolve) => setImmediate(resolve));
}
