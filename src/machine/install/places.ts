import { join } from 'node:path';
import { KEYS_OF_THE_UNIT } from '../../base/files/permission-hint.ts';

/** Who runs the daemon: the system manager with its own user, or the manager of the user who installs it. */
export type Scope = 'system' | 'user';

/** The paths of an installation; all are absolute. */
export interface Places {
  readonly scope: Scope;
  /** `systemctl`, with `--user` in the user scope. */
  readonly systemctl: readonly string[];
  /** Releases, the link to the current one, and the record. */
  readonly library: string;
  readonly record: string;
  /** The link by which people call the program. */
  readonly command: string;
  /** Unit files. */
  readonly units: string;
  /** Unit files that vanish at the next boot: for the drop-ins of a hand-over. */
  readonly passingUnits: string;
  readonly configDirectory: string;
  readonly config: string;
  /** Private keys that systemd passes to the unit. Undefined in the user scope: that daemon reads keys in place. */
  readonly keys: string | undefined;
  readonly sysusers: string | undefined;
  readonly tmpfiles: string | undefined;
  /** State directories of the daemon; not all need to exist. */
  readonly state: readonly string[];
  /** RuntimeDirectory= of the unit; the directory outlives the unit. */
  readonly runtime: string;
  /** `HOME` and the directories that the daemon's unit has in its environment (systemd.exec(5)). */
  readonly daemonEnvironment: {
    readonly HOME: string;
    readonly RUNTIME_DIRECTORY: string;
    readonly CREDENTIALS_DIRECTORY?: string;
  };
}

/** For the system unit. Pure. */
export function systemPlaces(): Places {
  return {
    scope: 'system',
    systemctl: ['systemctl'],
    library: '/usr/lib/fleet-mesh',
    record: '/usr/lib/fleet-mesh/install.json',
    command: '/usr/local/bin/fleet-mesh',
    units: '/etc/systemd/system',
    passingUnits: '/run/systemd/system',
    configDirectory: '/etc/fleet-mesh',
    config: '/etc/fleet-mesh/tunnels.yaml',
    keys: KEYS_OF_THE_UNIT,
    sysusers: '/etc/sysusers.d/fleet-mesh.conf',
    tmpfiles: '/etc/tmpfiles.d/fleet-mesh.conf',
    state: ['/var/lib/fleet-mesh'],
    runtime: '/run/fleet-mesh',
    daemonEnvironment: {
      HOME: '/var/lib/fleet-mesh',
      RUNTIME_DIRECTORY: '/run/fleet-mesh',
      CREDENTIALS_DIRECTORY: '/run/credentials/fleet-mesh.service',
    },
  };
}

/** For the user unit: `runtime` is `$XDG_RUNTIME_DIR`. Pure. */
export function userPlaces(home: string, runtime: string): Places {
  const library = join(home, '.local/lib/fleet-mesh');
  const configDirectory = join(home, '.config/fleet-mesh');
  return {
    scope: 'user',
    systemctl: ['systemctl', '--user'],
    library,
    record: join(library, 'install.json'),
    command: join(home, '.local/bin/fleet-mesh'),
    units: join(home, '.config/systemd/user'),
    passingUnits: join(runtime, 'systemd/user'),
    configDirectory,
    config: join(configDirectory, 'tunnels.yaml'),
    keys: undefined,
    sysusers: undefined,
    tmpfiles: undefined,
    // systemd 252 puts StateDirectory= of a user unit into the configuration directory; later versions use this path.
    state: [join(home, '.local/state/fleet-mesh')],
    runtime: join(runtime, 'fleet-mesh'),
    daemonEnvironment: { HOME: home, RUNTIME_DIRECTORY: join(runtime, 'fleet-mesh') },
  };
}

/** The directory of a release. Pure. */
export function releasePath({ library }: Places, id: string): string {
  return join(library, 'releases', id);
}

/** The program of a release, by a path that is unique to the release. Pure. */
export function programPath(places: Places, id: string): string {
  return join(releasePath(places, id), 'dist/cli.js');
}
