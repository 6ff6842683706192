import type { ErrorCode, TunnelError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import { summarizeAllow } from '../../config/allow/rule.ts';
import type { HostConfig, TunnelDestination } from '../../config/config.ts';

/** Where a tunnel leads, as `/status` shows it: its target, or in short where its clients may go. */
export function targetText(destination: TunnelDestination): string {
  return destination.direction === 'dynamic' ? summarizeAllow(destination.allow) : formatAddress(destination.target);
}

/** The peer's verdict on the target, as opposed to trouble on the way to it. */
const VERDICTS: ReadonlySet<ErrorCode> = new Set(['target_refused', 'target_unreachable', 'forward_denied']);

/**
 * Whether a failed connection is a verdict on the tunnel. A dynamic tunnel has no target that could be down: that one of
 * many destinations does not answer is for its client to know. That the server forbids what our own configuration
 * allows, somebody has to mend.
 */
export function isVerdict(direction: TunnelDestination['direction'], error: TunnelError): boolean {
  return direction === 'dynamic' ? error.code === 'forward_denied' : VERDICTS.has(error.code);
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
