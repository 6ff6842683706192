import { createServer, type Server, type Socket } from 'node:net';
import { type Address, formatAddress } from '../address.ts';
import { TunnelError } from '../errors.ts';

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
    server.once('error', (error) => reject(explain(address, error)));
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

function explain(address: Address, error: Error): TunnelError {
  const code = 'code' in error ? error.code : undefined;
  const where = formatAddress(address);
  switch (code) {
    case 'EADDRINUSE':
      return new TunnelError('listen_in_use', `cannot listen on ${where}: the address is in use`, { cause: error });
    case 'EACCES':
      return new TunnelError('internal', `cannot listen on ${where}: permission denied`, {
        cause: error,
        hint: 'Ports below 1024 need CAP_NET_BIND_SERVICE; choose another port.',
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new TunnelError('internal', `cannot listen on ${where}: this machine does not have that address`, {
        cause: error,
        hint: 'Check `listen` in the configuration against `ip address`.',
      });
    default:
      return new TunnelError('internal', `cannot listen on ${where}: ${error.message}`, { cause: error });
  }
}
