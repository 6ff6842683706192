import { formatAddress } from '../../../base/net/address.ts';
import { isBeyondLoopback } from '../../../base/net/host.ts';
import type { Config, TunnelConfig } from '../../../config/config.ts';
import type { PolicyFinding } from './policy-finding.ts';

/** Every listener that other machines can reach: a tunnel trusts whoever connects, and the endpoint shows names. */
export function checkExposure({ tunnels, endpoint }: Pick<Config, 'tunnels' | 'endpoint'>): PolicyFinding[] {
  const report = (path: PolicyFinding['path'], message: string): PolicyFinding => ({
    file: 'config',
    severity: 'warning',
    code: 'listener_exposed',
    path,
    message,
    at: 'value',
  });
  return [
    ...(isBeyondLoopback(endpoint.listen)
      ? [report(['endpoint', 'listen'], `other machines can read the endpoint at ${formatAddress(endpoint.listen)}`)]
      : []),
    ...[...tunnels.values()]
      .filter(({ listen }) => isBeyondLoopback(listen))
      .map((tunnel) => report(['tunnels', tunnel.name, 'listen'], exposed(tunnel))),
  ];
}

function exposed({ name, direction, host, listen, target }: TunnelConfig): string {
  const where = `${formatAddress(listen)}${direction === 'remote' ? ` on ${host}` : ''}`;
  const what =
    target === undefined
      ? `make connections from ${host} through the proxy ${name}`
      : `reach ${formatAddress(target)} through tunnel ${name}`;
  return `other machines can ${what}: the listener ${where} is not on loopback`;
}
