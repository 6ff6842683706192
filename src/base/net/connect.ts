import { connect as connectSocket, type NetConnectOpts, type Socket } from 'node:net';
import { onceAborted } from '../async/follow.ts';

export interface ConnectOptions {
  /** Where to, and the socket's own options. */
  readonly to: NetConnectOpts;
  /** Bound of the attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** What a refusal of the other side means. */
  readonly explain: (error: Error) => Error;
  /** What silence of the other side means. */
  readonly expired: () => Error;
}

/**
 * The one dialer: an open connection, or a rejection with what `explain` or `expired` made, or with the signal's reason. A
 * rejected attempt leaves no socket behind, and a late error of it never reaches the process. A socket that comes back has no
 * listener yet: its owner attaches one at once.
 */
export function connect(options: ConnectOptions, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connectSocket(options.to);
    const settle = () => {
      clearTimeout(timer);
      unwatch();
      // By name: the socket has listeners of Node's own.
      socket.off('error', onError).off('connect', onConnect);
    };
    const fail = (error: unknown) => {
      settle();
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    const onError = (error: Error) => fail(options.explain(error));
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const timer = setTimeout(() => fail(options.expired()), options.timeoutMs);
    const unwatch = onceAborted(signal, fail);
    socket.once('error', onError).once('connect', onConnect);
  });
}
