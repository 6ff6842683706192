import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What relative, `~` and `credential:` paths are resolved against. All absolute. */
export interface Places {
  readonly home: string;
  /** The directory of the configuration file. */
  readonly base: string;
  /** Where systemd's LoadCredential puts files; undefined outside such a unit. */
  readonly credentials: string | undefined;
  /** The runtime directory of this program, for what lives as long as the daemon; undefined where there is none. */
  readonly runtime: string | undefined;
  /** Where what the daemon has to remember is, unless the file says otherwise. */
  readonly state: string;
}

/** The environment variables that the configuration depends on; `process.env` is one. */
export interface ConfigEnvironment {
  readonly HOME?: string | undefined;
  readonly CREDENTIALS_DIRECTORY?: string | undefined;
  readonly RUNTIME_DIRECTORY?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly STATE_DIRECTORY?: string | undefined;
}

export function placesFor(file: string, env: ConfigEnvironment): Places {
  const home = resolve(env.HOME || homedir());
  // systemd.exec(5): a list with colons when the unit has several; the first one is for this.
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
 * systemd's RuntimeDirectory= (systemd.exec(5); the first, where a unit has several), else a directory of our own in that
 * of the user. Nothing else would do: a directory that everybody may write to is no place for a control socket.
 */
function runtimeDirectory({ RUNTIME_DIRECTORY, XDG_RUNTIME_DIR }: ConfigEnvironment): string | undefined {
  const [first] = (RUNTIME_DIRECTORY ?? '').split(':');
  if (first?.startsWith('/')) return first;
  return XDG_RUNTIME_DIR?.startsWith('/') ? join(XDG_RUNTIME_DIR, 'fleet-mesh') : undefined;
}

/** Where systemd keeps the credentials of the daemon's unit, for nobody else to look at (systemd.exec(5), CREDENTIALS). */
export const CREDENTIALS_OF_THE_UNIT = '/run/credentials/fleet-mesh.service';

/** For who reads the configuration without being the daemon: that its credentials are out of reach is no mistake then. */
export function outsideOfUnit(env: ConfigEnvironment): ConfigEnvironment {
  return { ...env, CREDENTIALS_DIRECTORY: env.CREDENTIALS_DIRECTORY || CREDENTIALS_OF_THE_UNIT };
}

/** An absolute path, or the sentence that says why there is none. */
export type ResolvedPath = { readonly path: string } | { readonly fault: string };

const CREDENTIAL = 'credential:';

/** Whether it is written as a file that systemd hands over, rather than as a path. Pure. */
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

/** The absolute path that is written; undefined where none is written, or none that can be made absolute. */
export function absolutePath(written: string | undefined, places: Places): string | undefined {
  const resolved = written === undefined ? undefined : resolvePath(written, places);
  return resolved !== undefined && 'path' in resolved ? resolved.path : undefined;
}

function resolveCredential(name: string, { credentials }: Places): ResolvedPath {
  // systemd.exec(5): a credential's name is a plain file name; anything else would lead out of the directory.
  if (!/^[A-Za-z0-9_@:.-]{1,255}$/.test(name) || name === '.' || name === '..') {
    return { fault: `got ${JSON.stringify(`credential:${name}`)}; expected credential:NAME with a plain file name` };
  }
  if (credentials === undefined) {
    return {
      fault: `credential:${name} is only there in a systemd unit with LoadCredential=${name}:…; $CREDENTIALS_DIRECTORY is not set`,
    };
  }
  return { path: join(credentials, name) };
}

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
