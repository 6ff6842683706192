import { createServer, type Server, type Socket } from 'node:net';
import { TunnelError } from '../errors.ts';
import type { Address, TcpAddress } from './address.ts';
import { isBeyondReserve } from './descriptors.ts';
import { inheritOptions } from './inherited-options.ts';
import { KEEPALIVE } from './keepalive.ts';
import { listenError } from './listen-error.ts';
import { listenUnix } from './unix-listener.ts';

/** A bound local address. Its connections arrive paused: no byte is read before the owner resumes. */
export interface Listener {
  readonly address: Address;
  /** Who bound the address. A socket of systemd stays open while this process restarts. */
  readonly by: 'systemd' | 'daemon';
  /** Stops accepting; accepted connections stay open. */
  close(): Promise<void>;
}

export type Listen = (
  address: Address,
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
) => Promise<Listener>;

/** Options of every server for a listener. */
export const SERVER_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, ...KEEPALIVE } as const;

/** Binds `address`. Rejects with `listen_in_use`, or with `internal` for any other system error. */
export const listen: Listen = async (address, onConnection, onError) => {
  const server = createServer(SERVER_OPTIONS, keepReserve(onConnection, onError));
  try {
    const stop = address.kind === 'unix' ? await listenUnix(server, address.path) : await listenTcp(server, address);
    // From here on an error is about one accept (ENOBUFS, ENOMEM): the listener stays open.
    server.on('error', onError);
    return { address, by: 'daemon', close: () => close(stop) };
  } catch (error) {
    throw error instanceof TunnelError ? error : listenError(address, 'the tunnel', 'listen', error);
  }
};

/** Resets a connection that would use the last file descriptors, and reports an error. */
export function keepReserve(
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
): (socket: Socket) => void {
  return (socket) => {
    if (!isBeyondReserve(socket)) return onConnection(socket);
    socket.on('error', () => {}).resetAndDestroy();
    onError(noDescriptor());
  };
}

function listenTcp(server: Server, { host, port }: TcpAddress): Promise<() => void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      inheritOptions(server);
      resolve(() => server.close());
    });
  });
}

function noDescriptor(): TunnelError {
  return new TunnelError('internal', 'the daemon has almost no file descriptors left; new connections are reset', {
    hint: 'Raise LimitNOFILE of the service, or find the client that opens so many connections.',
  });
}

/** Unlike the close of the server, does not wait for open connections. */
function close(stop: () => void): Promise<void> {
  stop();
  return new Promise((resolve) => setImmediate(resolve));
}
