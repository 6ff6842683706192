import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { homeOf } from '../base/home.ts';
import { stateOfUnit } from './state-of-unit.ts';

/** The base directories of relative, `~` and `credential:` paths. All absolute. */
export interface Places {
  readonly home: string;
  /** The directory of the configuration file. */
  readonly base: string;
  /** Directory of the LoadCredential= files of systemd; undefined outside such a unit. */
  readonly credentials: string | undefined;
  /** The runtime directory of this program; undefined if the environment has none. */
  readonly runtime: string | undefined;
  /** The default of `state_dir`. */
  readonly state: string;
}

/** The environment variables that affect the configuration; `process.env` fits. */
export interface ConfigEnvironment {
  readonly HOME?: string | undefined;
  readonly CREDENTIALS_DIRECTORY?: string | undefined;
  readonly RUNTIME_DIRECTORY?: string | undefined;
  readonly XDG_CONFIG_HOME?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly STATE_DIRECTORY?: string | undefined;
}

export function placesFor(file: string, env: ConfigEnvironment): Places {
  const home = resolve(homeOf(env));
  // systemd.exec(5): several directories are separated by colons. The first one is used.
  const [state] = (env.STATE_DIRECTORY ?? '').split(':');
  return {
    home,
    base: dirname(resolve(file)),
    credentials: env.CREDENTIALS_DIRECTORY || undefined,
    runtime: runtimeDirectory(env),
    state: state ? resolve(state) : join(home, '.local/state/fleet-mesh'),
  };
}

/**
 * The first RuntimeDirectory= of systemd (systemd.exec(5)), else our own directory in the runtime directory of the
 * user. Never a directory that everybody may write, such as /tmp.
 */
function runtimeDirectory({ RUNTIME_DIRECTORY, XDG_RUNTIME_DIR }: ConfigEnvironment): string | undefined {
  const [first] = (RUNTIME_DIRECTORY ?? '').split(':');
  if (first?.startsWith('/')) return first;
  return XDG_RUNTIME_DIR?.startsWith('/') ? join(XDG_RUNTIME_DIR, 'fleet-mesh') : undefined;
}

/** The private credentials directory of the daemon unit (systemd.exec(5), CREDENTIALS). */
export const CREDENTIALS_OF_THE_UNIT = '/run/credentials/fleet-mesh.service';

/**
 * For commands outside the unit: unreadable credentials are no mistake there, and the state is that of the unit.
 *
 * @param file the tunnel YAML, for commands that use the state directory
 */
export function outsideOfUnit(env: ConfigEnvironment, file?: string): ConfigEnvironment {
  const state = env.STATE_DIRECTORY || (file === undefined ? undefined : stateOfUnit(file, env));
  return {
    ...env,
    CREDENTIALS_DIRECTORY: env.CREDENTIALS_DIRECTORY || CREDENTIALS_OF_THE_UNIT,
    ...(state !== undefined && { STATE_DIRECTORY: state }),
  };
}

/** An absolute path, or the reason why there is none. */
export type ResolvedPath = { readonly path: string } | { readonly fault: string };

const CREDENTIAL = 'credential:';

/** Whether the text has the form credential:NAME. Pure. */
export function namesCredential(written: string): boolean {
  return written.startsWith(CREDENTIAL);
}

export function resolvePath(written: string, places: Places): ResolvedPath {
  if (namesCredential(written)) return resolveCredential(written.slice(CREDENTIAL.length), places);
  if (written === '~' || written.startsWith('~/')) return { path: join(places.home, written.slice(1)) };
  if (written.startsWith('~')) {
    return { fault: `got ${JSON.stringify(written)}; expected ~/… (the home of the daemon user) or an absolute path` };
  }
  return { path: resolve(places.base, written) };
}

/** The absolute path; undefined if none is written or the path cannot be made absolute. */
export function absolutePath(written: string | undefined, places: Places): string | undefined {
  const resolved = written === undefined ? undefined : resolvePath(written, places);
  return resolved !== undefined && 'path' in resolved ? resolved.path : undefined;
}

function resolveCredential(name: string, { credentials }: Places): ResolvedPath {
  // systemd.exec(5): the name of a credential is a plain file name. Other names could leave the directory.
  if (!/^[A-Za-z0-9_@:.-]{1,255}$/.test(name) || name === '.' || name === '..') {
    return { fault: `got ${JSON.stringify(`credential:${name}`)}; expected credential:NAME with a plain file name` };
  }
  if (credentials === undefined) {
    return {
      fault: `credential:${name} needs a systemd unit with LoadCredential=${name}:…, but $CREDENTIALS_DIRECTORY is not set`,
    };
  }
  return { path: join(credentials, name) };
}

/** The environment variables that affect the default path. */
export interface DefaultPathEnvironment {
  readonly FLEET_MESH_CONFIG?: string | undefined;
  readonly HOME?: string | undefined;
}

/** The configuration of the system unit. */
const SYSTEM_PATH = '/etc/fleet-mesh/tunnels.yaml';

/** The default configuration file: `$FLEET_MESH_CONFIG`, else the first existing one of the two usual paths. */
export function defaultConfigPath(env: DefaultPathEnvironment, exists: (path: string) => boolean = existsSync): string {
  if (env.FLEET_MESH_CONFIG) return env.FLEET_MESH_CONFIG;
  return [SYSTEM_PATH, userPath(env)].find((path) => exists(path)) ?? SYSTEM_PATH;
}

/** Where else a person may have meant the missing file at `path`: the other places, if `path` is the default of none. */
export function placesLookedAt(path: string, env: DefaultPathEnvironment): string {
  if (env.FLEET_MESH_CONFIG || path !== SYSTEM_PATH) return '';
  return `; $FLEET_MESH_CONFIG is not set, and ${userPath(env)} does not exist either: \`fleet-mesh add\` makes the first file`;
}

function userPath(env: DefaultPathEnvironment): string {
  return join(homeOf(env), '.config/fleet-mesh/tunnels.yaml');
}
