import { isTargetVerdict, type TunnelError, TurnedAway } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { summarizeAllow } from '../../config/allow/rule.ts';
import type { HostConfig, TunnelDestination } from '../../config/config.ts';
import { NOWHERE } from '../link/prove.ts';

/** The target of a tunnel in `/status`; for a dynamic tunnel a summary of `allow`. */
export function targetText(destination: TunnelDestination): string {
  return destination.direction === 'dynamic' ? summarizeAllow(destination.allow) : formatAddress(destination.target);
}

/**
 * Whether a failed connection is a verdict on the tunnel. A dynamic tunnel has no single target: a silent destination
 * concerns only its client. But a server that forbids an allowed destination concerns the operator. A rejected client
 * says nothing about the tunnel.
 */
export function isVerdict(direction: TunnelDestination['direction'], error: TunnelError): boolean {
  if (error instanceof TurnedAway) return false;
  return direction === 'dynamic' ? error.code === 'forward_denied' : isTargetVerdict(error);
}

/** The targets of a link's channels: those of its tunnels, and the hosts behind it. Pure. */
export function targetsOf(
  tunnels: readonly { readonly config: TunnelDestination }[],
  behind: readonly { readonly settings: { readonly host: Pick<HostConfig, 'address' | 'port'> } }[],
): Address[] {
  const own = tunnels.flatMap(({ config }) => (config.direction === 'local' ? config.target : []));
  const hosts = behind.map(({ settings: { host } }): Address => ({ kind: 'tcp', host: host.address, port: host.port }));
  return [...own, ...hosts, NOWHERE];
}
