import type { Socket } from 'node:net';
import type { Signal } from '../../base/async/signal.ts';
import { TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { connect } from '../../base/net/connect.ts';
import { KEEPALIVE } from '../../base/net/keepalive.ts';

/** A local target that does not answer within this time is unreachable; in milliseconds. */
const DIAL_MS = 10_000;

/**
 * Connects to a target from this machine: the target of a remote forward, or the successor of a tunnel. Rejects with
 * `target_refused`, `target_unreachable`, or the signal's reason. The errors of the returned socket are already
 * handled.
 */
export async function dialTarget(target: Address, signal: Signal): Promise<Socket> {
  const where = formatAddress(target);
  const socket = await connect(
    {
      to: {
        ...(target.kind === 'unix' ? { path: target.path } : { host: target.host, port: target.port }),
        allowHalfOpen: true,
        noDelay: true,
        ...KEEPALIVE,
      },
      timeoutMs: DIAL_MS,
      explain: (error) => explain(where, error),
      expired: () =>
        new TunnelError('target_unreachable', `${where} did not answer within ${DIAL_MS / 1000} s`, { hint: HINT }),
    },
    signal,
  );
  // From the start, and for good: a reset can come at any time.
  return socket.on('error', () => {});
}

const HINT = 'This node connects to the address without SSH. Check the address, and whether the service runs.';

function explain(where: string, error: Error): TunnelError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNREFUSED')
    return new TunnelError('target_refused', `${where} refused the connection`, { cause: error, hint: HINT });
  return new TunnelError('target_unreachable', `${where} is unreachable from this node: ${error.message}`, {
    cause: error,
    hint: HINT,
  });
}
