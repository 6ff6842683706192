import { isTargetVerdict, type TunnelError, TurnedAway } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { summarizeAllow } from '../../config/allow/rule.ts';
import type { HostConfig, TunnelDestination } from '../../config/config.ts';

/** Where a tunnel leads, as `/status` shows it: its target, or in short where its clients may go. */
export function targetText(destination: TunnelDestination): string {
  return destination.direction === 'dynamic' ? summarizeAllow(destination.allow) : formatAddress(destination.target);
}

/**
 * Whether a failed connection is a verdict on the tunnel. A dynamic tunnel has no single target: one destination that does
 * not answer is the business of its client. A server that forbids what `allow` covers concerns the operator. A client that
 * was turned away says nothing about the tunnel.
 */
export function isVerdict(direction: TunnelDestination['direction'], error: TunnelError): boolean {
  if (error instanceof TurnedAway) return false;
  return direction === 'dynamic' ? error.code === 'forward_denied' : isTargetVerdict(error);
}

/** Nobody listens on it, so that it proves forwarding by a refusal: for links whose tunnels name no target there. */
const NOWHERE: Address = { kind: 'tcp', host: '127.0.0.1', port: 1 };

/** What a link's channels lead to: the targets of its tunnels, and the hosts behind it. Pure. */
export function targetsOf(
  tunnels: readonly { readonly config: TunnelDestination }[],
  behind: readonly { readonly settings: { readonly host: Pick<HostConfig, 'address' | 'port'> } }[],
): Address[] {
  const own = tunnels.flatMap(({ config }) => (config.direction === 'local' ? config.target : []));
  const hosts = behind.map(({ settings: { host } }): Address => ({ kind: 'tcp', host: host.address, port: host.port }));
  return [...own, ...hosts, NOWHERE];
}
