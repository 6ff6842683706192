import { z } from 'zod';
import { formatAddress } from '../../base/net/address.ts';
import type { Config } from '../../config/config.ts';
import { wayTo } from '../../config/way.ts';

/** The routes of production tunnels in a configuration. */
export const routes = z.object({
  config_sha256: z.string(),
  node: z.string(),
  production: z.record(
    z.string(),
    z.object({
      /** Names of the hosts, from the last hop to the first. */
      way: z.array(z.string()),
      /** Null if each client names its own target. */
      target: z.string().nullable(),
    }),
  ),
  /** Address and port of each workstation. */
  workstations: z.record(z.string(), z.string()),
});
export type Routes = z.infer<typeof routes>;

/** The routes for the evidence, at the start and after each reload: a later reader does not have the file. Pure. */
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
