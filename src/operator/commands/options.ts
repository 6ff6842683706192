import { Option } from 'commander';
import { defaultConfigPath } from '../../config/paths.ts';

/** The file of the tunnels, for every command that reads it. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'the tunnel YAML').default(
    defaultConfigPath(process.env),
    '$FLEET_MESH_CONFIG, else /etc/fleet-mesh/tunnels.yaml, else ~/.config/fleet-mesh/tunnels.yaml',
  );
}

/** Where a command asks for the snapshot. */
export function endpointOption(): Option {
  return new Option(
    '--endpoint <address>',
    "the daemon's endpoint, host:port or URL (default: the one that --config names)",
  );
}

/** Where a command has the daemon do something. */
export function socketOption(): Option {
  return new Option(
    '--socket <path>',
    "the daemon's control socket (default: the one that --config names, else the usual ones)",
  );
}
