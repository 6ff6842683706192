import type { Address } from '../../base/net/address.ts';
import { formatIp, parseIp } from '../../base/net/ip.ts';
import type { Config, TunnelConfig } from '../../config/config.ts';
import { type LinkName, wayTo } from '../../config/way.ts';

/** The other tunnels whose host is reached through this one: a hop of their way is where it listens. Pure. */
export function dependentsOf(tunnel: TunnelConfig, config: Pick<Config, 'hosts' | 'tunnels'>): string[] {
  return [...config.tunnels.values()]
    .filter((other) => other.name !== tunnel.name && reachedThrough(tunnel, other, config))
    .map(({ name }) => name);
}

/** A hop is dialled from the hop before it, and the first one from this node. */
function reachedThrough(tunnel: TunnelConfig, other: LinkName, config: Pick<Config, 'hosts'>): boolean {
  const way = wayTo(config, other);
  const listensOn = tunnel.direction === 'remote' ? tunnel.host : undefined;
  return way.some(({ host }, index) => {
    const hop = config.hosts.get(host);
    return hop !== undefined && way[index + 1]?.host === listensOn && isWhere(tunnel.listen, hop);
  });
}

/** Whether a connection to that address arrives at that listener, both on the same machine. */
function isWhere(listen: Address, hop: { readonly address: string; readonly port: number }): boolean {
  if (listen.kind === 'unix' || listen.port !== hop.port) return false;
  // Which of the loopback addresses it is does not matter: one dependent too many is safe, one too few is not.
  return canonical(listen.host) === canonical(hop.address) || (isHere(listen.host) && isHere(hop.address));
}

/** A loopback address, or one that stands for all: a connection to either reaches this machine. */
function isHere(host: string): boolean {
  const address = canonical(host);
  return ['localhost', '::1', '0.0.0.0', '::'].includes(address) || /^127\.\d+\.\d+\.\d+$/.test(address);
}

function canonical(host: string): string {
  const ip = parseIp(host);
  return ip === undefined ? host.toLowerCase() : formatIp(ip);
}
