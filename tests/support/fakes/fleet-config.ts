import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** The parts of a tunnel YAML that a test varies. */
export interface FleetConfig {
  readonly endpointPort: number;
  readonly host: {
    readonly port: number;
    readonly user: string;
    readonly known_hosts: string;
    readonly [key: string]: unknown;
  };
  readonly actor: { readonly key: string; readonly [key: string]: unknown };
  /** Name → fields; `host`, `actor` and `direction` are filled in. */
  readonly tunnels: Readonly<Record<string, Record<string, unknown>>>;
  /** More hosts and actors, as in the YAML. */
  readonly hosts?: Readonly<Record<string, Record<string, unknown>>>;
  readonly actors?: Readonly<Record<string, Record<string, unknown>>>;
  /** More keys at the top level. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The document: node railiance01 with tunnels over coulombcore, here on loopback. */
export function fleetYaml(config: FleetConfig, places?: { controlSocket: string; stateDir: string }): string {
  const common = { host: 'coulombcore', actor: 'atm-fleet-mesh', direction: 'local' };
  return stringify({
    version: 1,
    node: 'railiance01',
    endpoint: { listen: `127.0.0.1:${config.endpointPort}` },
    // Not the default path: daemons of other tests may share the environment.
    ...(places && { control: { socket: places.controlSocket }, state_dir: places.stateDir }),
    ...config.extra,
    hosts: {
      railiance01: { address: '127.0.0.1', role: 'production' },
      coulombcore: { address: '127.0.0.1', role: 'draining', ...config.host },
      ...config.hosts,
    },
    actors: { 'atm-fleet-mesh': config.actor, ...config.actors },
    tunnels: Object.fromEntries(Object.entries(config.tunnels).map(([name, own]) => [name, { ...common, ...own }])),
  });
}

/** The control socket of the daemon with that endpoint. */
export function controlSocketIn(directory: string, endpointPort: number): string {
  return join(directory, 'run', `${endpointPort}.sock`);
}

/** The state directory of that daemon. */
export function stateDirIn(directory: string, endpointPort: number): string {
  return join(directory, 'state', String(endpointPort));
}

/** Writes the document (again) and returns the path. */
export function writeFleetConfig(directory: string, config: FleetConfig): string {
  const path = join(directory, 'railiance01-tunnels.yaml');
  const { endpointPort } = config;
  const controlSocket = controlSocketIn(directory, endpointPort);
  writeFileSync(path, fleetYaml(config, { controlSocket, stateDir: stateDirIn(directory, endpointPort) }));
  return path;
}
