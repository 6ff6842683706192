import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The environment variables that the default depends on. */
export interface DefaultPathEnvironment {
  readonly FLEET_MESH_CONFIG?: string | undefined;
  readonly HOME?: string | undefined;
}

/** Of the system unit. */
const SYSTEM_PATH = '/etc/fleet-mesh/tunnels.yaml';

/** The configuration file where none is named: `$FLEET_MESH_CONFIG`, else the first of the usual two that exists. */
export function defaultConfigPath(env: DefaultPathEnvironment, exists: (path: string) => boolean = existsSync): string {
  if (env.FLEET_MESH_CONFIG) return env.FLEET_MESH_CONFIG;
  const userPath = join(env.HOME || homedir(), '.config/fleet-mesh/tunnels.yaml');
  // Where neither exists, the system's is the one to name in the error.
  return [SYSTEM_PATH, userPath].find((path) => exists(path)) ?? SYSTEM_PATH;
}
