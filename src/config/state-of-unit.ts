import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { homeOf } from '../base/home.ts';

/** The environment variables that affect the state directory of a unit. */
export interface UnitEnvironment {
  readonly HOME?: string | undefined;
  readonly XDG_CONFIG_HOME?: string | undefined;
}

/** The file that shows since when a daemon has not written to a state directory. */
const EVIDENCE = 'events.jsonl';

/**
 * The state directory of the unit with this tunnel YAML; undefined if no unit has written state. systemd passes
 * $STATE_DIRECTORY to the daemon alone: `/var/lib/fleet-mesh` to the system unit. A user unit has its state beside the
 * configuration before systemd 254, and in `~/.local/state` since. With both, the daemon wrote last to the newer one.
 *
 * @param writtenAt when the file was last written, in milliseconds; undefined if there is none
 */
export function stateOfUnit(file: string, env: UnitEnvironment, writtenAt = lastWrite): string | undefined {
  const home = resolve(homeOf(env));
  const configuration = join(env.XDG_CONFIG_HOME || join(home, '.config'), 'fleet-mesh');
  const state = join(home, '.local/state/fleet-mesh');
  const path = resolve(file);
  const candidates =
    path === '/etc/fleet-mesh/tunnels.yaml'
      ? ['/var/lib/fleet-mesh', state]
      : path === join(configuration, 'tunnels.yaml')
        ? [configuration, state]
        : [];
  const written = candidates.map((directory) => ({ directory, at: writtenAt(join(directory, EVIDENCE)) }));
  return written.filter(({ at }) => at !== undefined).toSorted((a, b) => (b.at ?? 0) - (a.at ?? 0))[0]?.directory;
}

/** A directory of another user counts as written just now: the command then names the directory that it may not read. */
function lastWrite(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? Number.POSITIVE_INFINITY : undefined;
  }
}
