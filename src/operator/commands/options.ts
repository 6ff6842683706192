import { Option } from 'commander';
import { defaultConfigPath } from '../../config/paths.ts';

/** The tunnel YAML, for every command that reads the file. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'the tunnel YAML').default(
    defaultConfigPath(process.env),
    '$FLEET_MESH_CONFIG, else /etc/fleet-mesh/tunnels.yaml, else ~/.config/fleet-mesh/tunnels.yaml',
  );
}

/** The HTTP endpoint, for commands that read the snapshot. */
export function endpointOption(): Option {
  return new Option('--endpoint <address>', "the daemon's endpoint, host:port or URL (default: endpoint in --config)");
}

/** The control socket, for commands to the daemon. */
export function socketOption(): Option {
  return new Option(
    '--socket <path>',
    "the daemon's control socket (default: control.socket in --config, else the usual paths)",
  );
}

/** An option with a closed list, for help and completions; the command itself says what is wrong. */
export function chosenFrom(words: readonly string[], option: Option): Option {
  option.argChoices = [...words];
  return option;
}
