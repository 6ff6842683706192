import type { Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import { connect } from '../../base/net/connect.ts';
import { BACKLOG_BYTES } from './backlog.ts';
import { preferUnused, Resolver } from './resolve.ts';

export interface DialOptions {
  /** A name or an IP address; a name is resolved anew at each call. */
  readonly host: string;
  readonly port: number;
  /** Bound of the name resolution and, again, of the TCP connect, in milliseconds. */
  readonly timeoutMs: number;
  /** Addresses that other sessions to this host run over: others are tried first. */
  readonly inUse?: readonly string[];
  /** The name is resolved, and the addresses are tried in this order. */
  readonly onResolved?: ((addresses: readonly string[]) => void) | undefined;
}

/** One for the process, as its threads are. */
const resolver = new Resolver();

/**
 * A TCP connection to an SSH server. The socket is ours from the start, because Nagle's algorithm costs the handshake
 * half of its time, and because only the socket's owner can end a session whose peer has stopped answering.
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
    // It may have aborted since the name was resolved; no event would tell.
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

function connectTo(address: string, options: DialOptions, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  const peer =
    address === options.host ? `${address} port ${options.port}` : `${options.host} (${address}) port ${options.port}`;
  return connect(
    {
      // writableHighWaterMark is taken by the stream, as @types/node does not know.
      to: {
        host: address,
        port: options.port,
        noDelay: true,
        keepAlive: true,
        ...{ writableHighWaterMark: BACKLOG_BYTES },
      },
      timeoutMs,
      explain: (error) => explain(peer, error),
      expired: () => new TunnelError('connect_timeout', `${peer} did not answer within ${Math.round(timeoutMs)} ms`),
    },
    signal,
  );
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
      return new TunnelError('connect_timeout', `there is no route to ${peer}`, cause);
    case 'EMFILE':
    case 'ENFILE':
      return new TunnelError('internal', 'this process has no file descriptor left', {
        ...cause,
        hint: 'Raise LimitNOFILE of the service.',
      });
    default:
      return new TunnelError('connect_timeout', `${peer} cannot be reached: ${error.message}`, cause);
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error);
}
