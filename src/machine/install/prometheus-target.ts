import { formatAddress } from '../../base/net/address.ts';
import { reachableHost } from '../../base/net/host.ts';
import type { Config } from '../../config/config.ts';

/** The file for `file_sd_configs` of Prometheus, below the directory of the configuration. */
export const TARGET_FILE = 'prometheus/fleet-mesh.json';

/** The text of the file: the endpoint of this node, as a program on this node reaches the endpoint. Pure. */
export function prometheusTarget({ node, endpoint: { listen } }: Pick<Config, 'node' | 'endpoint'>): string {
  const target = formatAddress({ ...listen, host: reachableHost(listen.host) });
  return `${JSON.stringify([{ targets: [target], labels: { node } }], null, 2)}\n`;
}
