import type { Socket } from 'node:net';
import { follow } from '../../base/async/follow.ts';
import { TunnelError } from '../../base/errors.ts';
import { connect } from '../../base/net/connect.ts';
import { BACKLOG_BYTES } from './backlog.ts';
import { SocketReader } from './packets/socket-reader.ts';
import { preferUnused, Resolver } from './resolve.ts';

export interface DialOptions {
  /** A name or an IP address; a name is resolved again at each call. */
  readonly host: string;
  readonly port: number;
  /** Bound of the name resolution, and the same bound for the TCP connects, in milliseconds. */
  readonly timeoutMs: number;
  /** Addresses that are tried last: other sessions to this host use them, or they failed. */
  readonly avoid?: readonly string[];
  /** Called with the resolved addresses, in the order of the tries. */
  readonly onResolved?: ((addresses: readonly string[]) => void) | undefined;
}

/** An address that is silent for this long does not delay the next one, in milliseconds. */
const SILENT_MS = 1_000;

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
  const addresses = preferUnused(resolved, options.avoid ?? []);
  options.onResolved?.(addresses);
  // The signal may have aborted after the name was resolved, without an event here.
  signal.throwIfAborted();
  return connectToFirst(addresses, options, signal);
}

/**
 * The next address gets its try when the one before fails or is silent. The first connection counts (RFC 8305). Rejects
 * with the error of the last address, or the signal's reason.
 */
function connectToFirst(addresses: readonly string[], options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const until = performance.now() + options.timeoutMs;
  const silentMs = Math.min(SILENT_MS, options.timeoutMs / addresses.length);
  const racing = follow(signal);
  let failure: unknown = new TunnelError('dns_failed', `${options.host} has no address`);
  return new Promise<Socket>((resolve, reject) => {
    let started = 0;
    let failed = 0;
    let next: NodeJS.Timeout | undefined;
    const settle = (finish: () => void) => {
      clearTimeout(next);
      finish();
      racing.end();
    };
    const start = () => {
      clearTimeout(next);
      const number = started++;
      const address = addresses[number];
      if (address === undefined) return;
      next = setTimeout(start, silentMs);
      connectTo(address, options, until - performance.now(), racing.signal).then(
        (socket) => {
          if (racing.signal.aborted) socket.on('error', () => {}).destroy();
          else settle(() => resolve(socket));
        },
        (error: unknown) => {
          failed++;
          if (number === addresses.length - 1) failure = error;
          if (racing.signal.aborted || failed === addresses.length)
            settle(() => reject(signal.aborted ? signal.reason : failure));
          else if (started === number + 1) start();
        },
      );
    };
    if (addresses.length === 0) settle(() => reject(failure));
    else start();
  });
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
