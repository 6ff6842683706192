import { z } from 'zod';
import { formatAddress } from '../../base/net/address.ts';
import type { Config } from '../../config/config.ts';
import { wayTo } from '../../config/way.ts';

/** Where production goes, as the configuration says. */
export const routes = z.object({
  config_sha256: z.string(),
  node: z.string(),
  production: z.record(
    z.string(),
    z.object({
      /** Names of the hosts, from the last hop to the one that is dialled directly. */
      way: z.array(z.string()),
      /** Null where each client says where to. */
      target: z.string().nullable(),
    }),
  ),
  /** Address and port of each host with that role. */
  workstations: z.record(z.string(), z.string()),
});
export type Routes = z.infer<typeof routes>;

/** What is kept as evidence at the start and after each reload: whoever reads it later has the file no more. Pure. */
export function routesOf(config: Pick<Config, 'node' | 'sha256' | 'hosts' | 'tunnels'>): Routes {
  const { node, sha256, hosts, tunnels } = config;
  const production = [...tunnels.values()].filter((tunnel) => tunnel.production);
  const workstations = [...hosts.values()].filter(({ role }) => role === 'workstation');
  return {
    config_sha256: sha256,
    node,
    production: Object.fromEntries(
      production.map((tunnel) => [
        tunnel.name,
        {
          way: wayTo(config, tunnel).map(({ host }) => host),
          target: tunnel.target === undefined ? null : formatAddress(tunnel.target),
        },
      ]),
    ),
    workstations: Object.fromEntries(
      workstations.map(({ name, address, port }) => [name, formatAddress({ kind: 'tcp', host: address, port })]),
    ),
  };
}
