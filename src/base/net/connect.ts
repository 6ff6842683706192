import { connect as connectSocket, type NetConnectOpts, type Socket } from 'node:net';
import { DeadlineTimer } from '../async/deadline-timer.ts';
import { onceAborted } from '../async/follow.ts';
import type { Signal } from '../async/signal.ts';

export interface ConnectOptions {
  /** The destination and the socket options. */
  readonly to: NetConnectOpts;
  /** Bound of the attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes the error for a failed attempt. */
  readonly explain: (error: Error) => Error;
  /** Makes the error for an attempt without an answer. */
  readonly expired: () => Error;
}

/**
 * The one dialer. Resolves with an open connection; rejects with the error of `explain` or `expired`, or with the
 * signal's reason. A rejected attempt leaves no socket behind, and a late error never reaches the process. A returned
 * socket has no error listener: the caller must attach one at once.
 */
export function connect(options: ConnectOptions, signal: Signal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connectSocket(options.to);
    const settle = () => {
      timer.end();
      unwatch();
      // Only these two listeners: Node has its own on the socket.
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
    const timer = new DeadlineTimer(options.timeoutMs, () => fail(options.expired()));
    const unwatch = onceAborted(signal, fail);
    socket.once('error', onError).once('connect', onConnect);
  });
}
