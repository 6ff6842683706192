import { withDeadline } from '../../base/async/deadline.ts';
import { TunnelError } from '../../base/errors.ts';
import type { HostConfig } from '../../config/config.ts';
import type { FailedAddresses } from './failed-addresses.ts';
import { carryError, type JumpLink } from './jump.ts';
import type { Held, Route } from './session.ts';

/**
 * The route of a link's next session. Direct: prefers addresses that no other session uses and that did not fail. Over a jump host: the channel
 * must open within the host's `connect_timeout`. Rejects with a TunnelError of this link.
 *
 * @param held the link's sessions
 * @param addresses learns which addresses fail
 */
export async function findRoute(
  host: HostConfig,
  jump: JumpLink | undefined,
  held: readonly Held[],
  addresses: FailedAddresses,
  signal: AbortSignal,
): Promise<Route> {
  if (!jump) {
    const avoid = [...held.flatMap(({ session }) => session.address ?? []), ...addresses.all];
    return { kind: 'direct', avoid, onFailed: (address) => addresses.failed(address) };
  }
  const target = { kind: 'tcp', host: host.address, port: host.port } as const;
  const expired = () => new TunnelError('target_unreachable', `no answer within ${host.connectTimeoutMs} ms`);
  const carry = async (wanted: AbortSignal) => {
    try {
      return await withDeadline(host.connectTimeoutMs, wanted, expired, (bounded) => jump.carry(target, bounded));
    } catch (error) {
      wanted.throwIfAborted();
      throw carryError(target, jump.hostName, TunnelError.from(error));
    }
  };
  return { kind: 'jump', host: jump.hostName, carrier: await carry(signal), another: carry };
}
