import type { Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import { connect } from '../../base/net/connect.ts';
import { BACKLOG_BYTES } from './backlog.ts';
import { SocketReader } from './packets/socket-reader.ts';
import { preferUnused, Resolver } from './resolve.ts';

export interface DialOptions {
  /** A name or an IP address; a name is resolved again at each call. */
  readonly host: string;
  readonly port: number;
  /** Bound of the name resolution, and the same bound for the TCP connect, in milliseconds. */
  readonly timeoutMs: number;
  /** Addresses that other sessions to this host use; these addresses are tried last. */
  readonly inUse?: readonly string[];
  /** Called with the resolved addresses, in the order of the tries. */
  readonly onResolved?: ((addresses: readonly string[]) => void) | undefined;
}

/** One for the process, because its lookup threads are shared. */
const resolver = new Resolver();

/**
 * Opens a TCP connection to an SSH server. ssh2 does not open the socket, for two reasons: Nagle's algorithm costs half
 * of the handshake time, and only the owner of the socket can end a session whose peer does not answer.
 */
export async function dial(
  options: DialOptions,
  signal: AbortSignal,
  names: Pick<Resolver, 'resolve'> = resolver,
): Promise<Socket> {
  const resolved = await names.resolve(options.host, options.timeoutMs, signal);
  const addresses = preferUnused(resolved, options.inUse ?? []);
  options.onResolved?.(addresses);
  const failures: TunnelError[] = [];
  const sliceMs = options.timeoutMs / addresses.length;
  for (const address of addresses) {
    // The signal may have aborted after the name was resolved, without an event here.
    signal.throwIfAborted();
    try {
      return await connectTo(address, options, sliceMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(TunnelError.from(error));
    }
  }
  throw failures.at(-1) ?? new TunnelError('dns_failed', `${options.host} has no address`);
}

async function connectTo(
  address: string,
  options: DialOptions,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  const peer =
    address === options.host ? `${address} port ${options.port}` : `${options.host} (${address}) port ${options.port}`;
  const reader = new SocketReader();
  const socket = await connect(
    {
      // The stream accepts writableHighWaterMark, but @types/node does not list it.
      to: {
        host: address,
        port: options.port,
        noDelay: true,
        keepAlive: true,
        onread: reader.onread,
        ...{ writableHighWaterMark: BACKLOG_BYTES },
      },
      timeoutMs,
      explain: (error) => explain(peer, error),
      expired: () => new TunnelError('connect_timeout', `${peer} did not answer within ${Math.round(timeoutMs)} ms`),
    },
    signal,
  );
  reader.bind(socket);
  return socket;
}

function explain(peer: string, error: Error): TunnelError {
  const cause = { cause: error };
  switch (errnoOf(error)) {
    case 'ECONNREFUSED':
      return new TunnelError('connect_refused', `${peer} refused the connection`, cause);
    case 'ECONNRESET':
      return new TunnelError('connection_reset', `${peer} reset the connection`, cause);
    case 'ETIMEDOUT':
      return new TunnelError('connect_timeout', `${peer} did not answer`, cause);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new TunnelError('connect_timeout', `no route to ${peer}`, cause);
    case 'EMFILE':
    case 'ENFILE':
      return new TunnelError('internal', 'the daemon has no file descriptor left', {
        ...cause,
        hint: 'Increase LimitNOFILE of the service.',
      });
    default:
      return new TunnelError('connect_timeout', `${peer} cannot be reached: ${error.message}`, cause);
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}
