import { createServer, type Server, type Socket } from 'node:net';
import { type Address, formatAddress, type TcpAddress } from '../address.ts';
import { TunnelError } from '../errors.ts';
import { listenUnix } from './unix-listener.ts';

/** A bound local address whose connections arrive paused: nothing is read before somebody wants it. */
export interface Listener {
  readonly address: Address;
  /** Stops accepting; connections that were accepted live on. */
  close(): Promise<void>;
}

/** Binds `address`. Rejects with `listen_in_use`, or `internal` for what else the system refuses. */
export async function listen(
  address: Address,
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, onConnection);
  try {
    const stop = address.kind === 'unix' ? await listenUnix(server, address.path) : await listenTcp(server, address);
    // From here on an error is about one accept (EMFILE, ECONNABORTED): the listener itself lives.
    server.on('error', onError);
    return { address, close: () => close(stop) };
  } catch (error) {
    throw explain(address, error);
  }
}

function listenTcp(server: Server, { host, port }: TcpAddress): Promise<() => void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve(() => server.close());
    });
  });
}

/** Does not wait for the connections: the server's own close would. */
function close(stop: () => void): Promise<void> {
  stop();
  return new Promise((resolve) => setImmediate(resolve));
}

function explain(address: Address, error: unknown): TunnelError {
  if (!(error instanceof Error) || error instanceof TunnelError) return TunnelError.from(error);
  const code = 'code' in error ? error.code : undefined;
  const where = formatAddress(address);
  switch (code) {
    case 'EADDRINUSE':
      return new TunnelError('listen_in_use', `cannot listen on ${where}: the address is in use`, { cause: error });
    case 'EACCES':
      return new TunnelError('internal', `cannot listen on ${where}: permission denied`, {
        cause: error,
        hint:
          address.kind === 'unix'
            ? 'The daemon user needs write permission on the directory of the socket.'
            : 'Ports below 1024 need CAP_NET_BIND_SERVICE; choose another port.',
      });
    case 'ENOENT':
    case 'ENOTDIR':
      return new TunnelError('internal', `cannot listen on ${where}: its directory does not exist`, {
        cause: error,
        hint: 'Create the directory (RuntimeDirectory= in a systemd unit), writable for the daemon user.',
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
