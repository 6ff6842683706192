import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { Places } from './places.ts';
import { prometheusTarget, TARGET_FILE } from './prometheus-target.ts';
import type { Release } from './release.ts';
import { type SocketUnit, wantsSockets } from './sockets.ts';

/** A file of an installation, apart from the program. */
export interface WantedFile {
  readonly text: string;
  /** The path in the release; undefined: generated on this node. */
  readonly shipped: string | undefined;
  /** Whether a change of the file needs a restart of the daemon. */
  readonly restarts: boolean;
}

export interface NodeTraits {
  readonly systemdVersion: number;
  /** Whether Node on this machine can load the module sd-notify. */
  readonly speaksNatively: boolean;
}

export const SERVICE = 'fleet-mesh.service';
/** The first version that knows RestartSteps=. */
const RESTART_STEPS_SINCE = 254;

/**
 * Every file by its path. Includes the example configuration only: tunnels.yaml belongs to the operator. Without sockets
 * (no configuration yet) there is no socket drop-in, and without a configuration no target for Prometheus. Pure.
 */
export function wantedFiles(
  places: Places,
  release: Release,
  sockets: readonly SocketUnit[],
  traits: NodeTraits,
  config: Config | undefined,
): Map<string, WantedFile> {
  const files = new Map<string, WantedFile>();
  const ship = (path: string, from: string, text: string, restarts: boolean) =>
    files.set(path, { text, shipped: from, restarts });
  const make = (path: string, text: string) => files.set(path, { text, shipped: undefined, restarts: true });
  for (const [name, text] of release.units) {
    ship(join(places.units, name), `systemd/${places.scope}/${name}`, text, name === SERVICE);
  }
  if (places.sysusers) ship(places.sysusers, 'systemd/sysusers.d/fleet-mesh.conf', release.sysusers, false);
  if (places.tmpfiles) ship(places.tmpfiles, 'systemd/tmpfiles.d/fleet-mesh.conf', release.tmpfiles, false);
  const dropIn = (name: string) => join(places.units, `${SERVICE}.d`, name);
  if (!traits.speaksNatively) {
    const name = '10-notify-fallback.conf';
    ship(dropIn(name), `systemd/drop-in/${name}`, release.notifyFallback, true);
  }
  if (traits.systemdVersion >= RESTART_STEPS_SINCE) {
    const name = '20-restart-steps.conf';
    ship(dropIn(name), `systemd/drop-in/${name}`, release.restartSteps, true);
  }
  for (const socket of sockets) for (const [path, text] of socket.files) make(join(places.units, path), text);
  if (sockets.length > 0) make(dropIn('50-sockets.conf'), wantsSockets(sockets));
  if (config !== undefined) {
    const text = prometheusTarget(config);
    files.set(join(places.configDirectory, TARGET_FILE), { text, shipped: undefined, restarts: false });
  }
  ship(join(places.configDirectory, 'example-tunnels.yaml'), 'config/example-tunnels.yaml', release.example, false);
  return files;
}
