import { createServer, type Server, type Socket } from 'node:net';
import { TunnelError } from '../errors.ts';
import type { Address, TcpAddress } from './address.ts';
import { isBeyondReserve } from './descriptors.ts';
import { listenError } from './listen-error.ts';
import { listenUnix } from './unix-listener.ts';

/** A bound local address whose connections arrive paused: nothing is read before somebody wants it. */
export interface Listener {
  readonly address: Address;
  /** Who has bound it: what systemd has bound stays open while this process restarts. */
  readonly by: 'systemd' | 'daemon';
  /** Stops accepting; connections that were accepted live on. */
  close(): Promise<void>;
}

export type Listen = (
  address: Address,
  onConnection: (socket: Socket) => void,
  onError: (error: Error) => void,
) => Promise<Listener>;

/** What every server of a listener is made with. */
export const SERVER_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true } as const;

/** Binds `address`. Rejects with `listen_in_use`, or `internal` for what else the system refuses. */
export const listen: Listen = async (address, onConnection, onError) => {
  const server = createServer(SERVER_OPTIONS, keepReserve(onConnection, onError));
  try {
    const stop = address.kind === 'unix' ? await listenUnix(server, address.path) : await listenTcp(server, address);
    // From here on an error is about one accept (ENOBUFS, ENOMEM): the listener itself lives.
    server.on('error', onError);
    return { address, by: 'daemon', close: () => close(stop) };
  } catch (error) {
    throw error instanceof TunnelError ? error : listenError(address, 'the tunnel', 'listen', error);
  }
};

/** Connections that would use up the last file descriptors are reset, and reported as an error. */
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
      resolve(() => server.close());
    });
  });
}

function noDescriptor(): TunnelError {
  return new TunnelError('internal', 'this process is short of file descriptors; new connections are reset', {
    hint: 'Raise LimitNOFILE of the service, or find out who opens so many connections.',
  });
}

/** Does not wait for the connections: the server's own close would. */
function close(stop: () => void): Promise<void> {
  stop();
  return new Promise((resolve) => setImmediate(resolve));
}
