import { formatAddress, parseAddress, type TcpAddress } from '../../base/net/address.ts';
import { canonicalHost, isLoopbackHost, reachableHost } from '../../base/net/host.ts';
import type { HostConfig } from '../../config/config.ts';
import type { TunnelStatus } from '../../telemetry/status/status.ts';
import type { FleetAnswer, FleetNode, ScrapeTargets } from './answer.ts';

type Forward = Pick<TunnelStatus, 'host' | 'direction' | 'listen' | 'target' | 'state' | 'route'>;

/**
 * Where a Prometheus on this node can scrape the endpoint of another node. An endpoint on the far loopback is within reach
 * only through a local tunnel. Without such a tunnel, the best guess is the address of the host. Pure.
 */
export function scrapeOf(
  host: Pick<HostConfig, 'name' | 'address'>,
  endpoint: TcpAddress,
  tunnels: readonly Forward[],
): FleetNode['scrape'] {
  for (const { host: through, direction, listen, target, state, route } of tunnels) {
    const inService = state !== 'retired' && state !== 'stopped' && state !== 'draining' && route === 'tunnel';
    if (through !== host.name || direction !== 'local' || !inService) continue;
    const [here, there] = [parseAddress(listen), parseAddress(target)];
    if (here?.kind !== 'tcp' || there?.kind !== 'tcp' || !isSame(there, endpoint)) continue;
    return { target: formatAddress({ ...here, host: reachableHost(here.host) }), via: 'tunnel' };
  }
  const address = isLoopbackHost(endpoint.host) ? host.address : endpoint.host;
  return { target: formatAddress({ kind: 'tcp', host: address, port: endpoint.port }), via: 'host' };
}

function isSame(a: TcpAddress, b: TcpAddress): boolean {
  if (a.port !== b.port) return false;
  return canonicalHost(a.host) === canonicalHost(b.host) || (isLoopbackHost(a.host) && isLoopbackHost(b.host));
}

/**
 * The targets for Prometheus: every node that has answered since the start of this daemon. A node that answers no more
 * stays a target, so that Prometheus notices. Pure.
 */
export function scrapeTargetsOf({ nodes }: Pick<FleetAnswer, 'nodes'>): ScrapeTargets {
  return nodes
    .filter(({ answered_at, scrape }) => answered_at !== null && !isHere(scrape))
    .map(({ host, node, version, state, scrape }) => ({
      targets: [scrape.target],
      labels: {
        // The name of the host here, which its host key has proved. The name in the answer proves nothing.
        node: host,
        __meta_fleet_mesh_host: host,
        __meta_fleet_mesh_node: node ?? '',
        __meta_fleet_mesh_version: version ?? '',
        __meta_fleet_mesh_state: state ?? 'unknown',
        __meta_fleet_mesh_via: scrape.via,
      },
    }));
}

/** A loopback address without a tunnel is this machine: Prometheus would take the metrics of this node for those of the other. */
function isHere({ target, via }: FleetNode['scrape']): boolean {
  const address = parseAddress(target);
  return via === 'host' && address?.kind === 'tcp' && isLoopbackHost(address.host);
}
