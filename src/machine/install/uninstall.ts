import { join } from 'node:path';
import type { Places } from './places.ts';
import { CURRENT } from './plan.ts';
import type { InstallRecord } from './record.ts';
import { command, type Step } from './step.ts';

export interface UninstallPlan {
  readonly steps: readonly Step[];
  /** What stays on the node and how to remove it, one line each. */
  readonly kept: readonly string[];
}

export interface UninstallFacts {
  readonly places: Places;
  readonly record: InstallRecord;
  readonly user: string;
  /** The existing directories with configuration, keys or state. */
  readonly present: ReadonlySet<string>;
  /** Paths of all drop-ins of the daemon's unit. */
  readonly dropIns: readonly string[];
}

/** Plans the removal of an installation; with `purge` also of configuration, keys and state. Pure. */
export function planUninstall(
  { places, record, user, present, dropIns }: UninstallFacts,
  purge: boolean,
): UninstallPlan {
  const [program = '', ...prefix] = places.systemctl;
  const systemctl = (...args: readonly string[]): Step => command(program, ...prefix, ...args);
  const extra = ['fleet-mesh-online.target', 'fleet-mesh-wait-online.service'];
  const lingers = record.lingering === 'turned on';
  const theirs = [places.configDirectory, ...places.state].filter((path) => present.has(path));
  const account = places.scope === 'system';
  return {
    steps: [
      // Stops the sockets too, or the next client would start the daemon again.
      systemctl('stop', ...record.units, ...extra),
      ...(record.units.length > 0 ? [systemctl('disable', ...record.units)] : []),
      ...record.files.map((path): Step => ({ kind: 'remove', path })),
      systemctl('daemon-reload'),
      ...(record.command === null ? [] : [{ kind: 'remove', path: record.command } as const]),
      { kind: 'remove', path: join(places.library, 'dist') },
      { kind: 'remove', path: join(places.library, CURRENT) },
      { kind: 'remove-tree', path: places.library },
      { kind: 'remove-tree', path: places.runtime },
      ...(purge ? theirs.map((path): Step => ({ kind: 'remove-tree', path })) : []),
      ...(purge && account ? [command('userdel', 'fleet-mesh')] : []),
      ...(purge && lingers ? [command('loginctl', 'disable-linger', user)] : []),
    ],
    kept: [
      ...(purge ? [] : theirs.map((path) => `${path}/ (configuration, keys or state; --purge removes it)`)),
      ...(purge || !account ? [] : ['the user fleet-mesh, who owns the state (--purge removes the user)']),
      ...(purge || !lingers ? [] : [`lingering of ${user} (turn it off with \`loginctl disable-linger ${user}\`)`]),
      ...dropIns.filter((path) => !record.files.includes(path)).map((path) => `${path} (your drop-in)`),
      ...record.replaced.map(
        (unit) =>
          `${unit}, stopped and disabled (start it again with \`${places.systemctl.join(' ')} enable --now ${unit}\`)`,
      ),
    ],
  };
}
