import { connect, type Socket } from 'node:net';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';

/** A target on this side answers within this time, in milliseconds, or it is taken for unreachable. */
const DIAL_MS = 10_000;

/**
 * Connects to a target from this machine: that of a remote forward, or the successor of a tunnel. Rejects with `target_refused`, `target_unreachable`, or
 * the signal's reason; the socket is gone then. A socket that comes back has an owner for its errors already.
 */
export function dialTarget(target: Address, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect({
      ...(target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port }),
      allowHalfOpen: true,
      noDelay: true,
    });
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', onError);
    };
    const fail = (error: unknown) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const onError = (error: Error) => fail(explain(target, error));
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const timer = setTimeout(
      () =>
        fail(
          new TunnelError('target_unreachable', `${formatAddress(target)} did not answer within ${DIAL_MS / 1000} s`, {
            hint: HINT,
          }),
        ),
      DIAL_MS,
    );
    // From birth, and for good: a reset can come at any time.
    socket.on('error', () => {});
    socket.once('connect', onConnect).once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

const HINT = 'It is reached from this node, without SSH: check that the service runs and its address.';

function explain(target: Address, error: Error): TunnelError {
  const code = 'code' in error ? error.code : undefined;
  const where = formatAddress(target);
  if (code === 'ECONNREFUSED')
    return new TunnelError('target_refused', `${where} refused the connection`, { cause: error, hint: HINT });
  return new TunnelError('target_unreachable', `${where} is not reached from this node: ${error.message}`, {
    cause: error,
    hint: HINT,
  });
}
