import { withDeadline } from '../../base/async/deadline.ts';
import { messageOf, TunnelError } from '../../base/errors.ts';
import { formatAddress, type TcpAddress } from '../../base/net/address.ts';
import { decodeNodeState, type NodeState } from '../../telemetry/status/node-state.ts';
import { fetchBody } from '../../tunnels/probe/http.ts';
import type { Way } from '../../tunnels/tunnel/link-table.ts';

/** A snapshot of hundreds of tunnels fits. */
const MAX_BYTES = 1024 * 1024;

/** The result of one question. `actor` is that of the link that was used last. */
export interface Heard {
  readonly actor: string;
  readonly outcome: NodeState | TunnelError;
}

/**
 * Asks the daemon behind a host for its state, over one link after the other until one answers. The channel belongs to
 * no tunnel, so the question is no use by a client. Bounded; never rejects.
 * @param withinMs the time for all links together, in milliseconds
 */
export async function askNode(
  ways: readonly [Way, ...Way[]],
  endpoint: TcpAddress,
  withinMs: number,
  over: AbortSignal,
): Promise<Heard> {
  let last: Heard = { actor: ways[0].actor, outcome: absence(ways[0]) };
  const late = `no whole answer came within ${withinMs / 1_000} s`;
  const expired = () => explained(ways[0], endpoint, new TunnelError('target_unreachable', late));
  try {
    return await withDeadline(withinMs, over, expired, async (signal) => {
      // A link without a session is not waited for.
      for (const way of ways.filter(({ source }) => source.ready)) {
        last = { actor: way.actor, outcome: await askOver(way, endpoint, withinMs, signal) };
        signal.throwIfAborted();
        if (!(last.outcome instanceof TunnelError)) break;
      }
      return last;
    });
  } catch (error) {
    const outcome = over.aborted
      ? new TunnelError('connection_reset', 'this daemon is stopping')
      : TunnelError.from(error);
    return { actor: last.actor, outcome };
  }
}

async function askOver(
  way: Way,
  endpoint: TcpAddress,
  withinMs: number,
  signal: AbortSignal,
): Promise<NodeState | TunnelError> {
  try {
    const body = await fetchBody(way.source, endpoint, { path: '/status', maxBytes: MAX_BYTES }, signal);
    return await decodeNodeState(body, withinMs).catch((error: unknown) => {
      throw new TunnelError('target_unreachable', `GET /status: ${messageOf(error)}`);
    });
  } catch (error) {
    return explained(way, endpoint, TunnelError.from(error));
  }
}

function absence({ host, source }: Way): TunnelError {
  return source.lastError ?? new TunnelError('connection_reset', `no SSH session to ${host.name} is up`);
}

/** The same error, with a fix for this use of the link: there is no tunnel and no probe to look at. */
function explained({ host, actor }: Way, endpoint: TcpAddress, error: TunnelError): TunnelError {
  const where = `${formatAddress(endpoint)} on ${host.name}`;
  const message = `${where}: ${error.message}`;
  switch (error.code) {
    case 'target_refused':
      return new TunnelError(error.code, message, {
        cause: error,
        hint: `Start fleet-mesh on ${host.name}, or set its address in hosts.${host.name}.endpoint; none stops the question.`,
      });
    case 'target_unreachable':
      return new TunnelError(error.code, message, {
        cause: error,
        hint: `Check which program answers on ${where}. hosts.${host.name}.endpoint sets another address.`,
      });
    case 'forward_denied':
      return new TunnelError(error.code, message, {
        cause: error,
        hint: `Permit ${actor} to open ${formatAddress(endpoint)} (PermitOpen, permitopen), or set hosts.${host.name}.endpoint to none.`,
      });
    default:
      return error;
  }
}
