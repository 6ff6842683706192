import type { Address } from '../../base/net/address.ts';
import { canonicalHost, isLoopbackHost, reachableHost } from '../../base/net/host.ts';
import type { Config, TunnelConfig } from '../../config/config.ts';
import { type LinkName, wayTo } from '../../config/way.ts';

/** The other tunnels that reach their host through this one: this tunnel listens on one of their hops. Pure. */
export function dependentsOf(tunnel: TunnelConfig, config: Pick<Config, 'hosts' | 'tunnels'>): string[] {
  return [...config.tunnels.values()]
    .filter((other) => other.name !== tunnel.name && reachedThrough(tunnel, other, config))
    .map(({ name }) => name);
}

/** This node dials the first hop; each hop dials the next one. */
function reachedThrough(tunnel: TunnelConfig, other: LinkName, config: Pick<Config, 'hosts'>): boolean {
  const way = wayTo(config, other);
  const listensOn = tunnel.direction === 'remote' ? tunnel.host : undefined;
  return way.some(({ host }, index) => {
    const hop = config.hosts.get(host);
    return hop !== undefined && way[index + 1]?.host === listensOn && isWhere(tunnel.listen, hop);
  });
}

/** Whether a connection to `hop` arrives at `listen`, both on the same machine. */
function isWhere(listen: Address, hop: { readonly address: string; readonly port: number }): boolean {
  if (listen.kind === 'unix' || listen.port !== hop.port) return false;
  // All loopback addresses count as equal: one dependent too many is safe, one too few is not.
  return canonicalHost(listen.host) === canonicalHost(hop.address) || (isHere(listen.host) && isHere(hop.address));
}

/** A loopback or wildcard address: a connection to either reaches this machine. */
function isHere(host: string): boolean {
  return isLoopbackHost(reachableHost(host));
}
