import { join } from 'node:path';
import type { Places } from './places.ts';
import type { Before } from './record.ts';
import { command, type Step } from './step.ts';
import { SERVICE } from './wanted-files.ts';

/**
 * The steps that undo an installation: `stop`, `files`, `start`. `files` alone is enough while no running unit was touched.
 */
export interface WayBack {
  readonly stop: readonly Step[];
  readonly files: readonly Step[];
  readonly start: readonly Step[];
}

export interface WayBackOptions {
  /**
   * Whether the installation failed. Then its configuration and its lingering are undone too. Otherwise they stay: programs
   * started since then may depend on them.
   */
  readonly failed: boolean;
  readonly user: string;
  /** Sockets of the daemon that existed before the installation. */
  readonly otherSockets: readonly string[];
}

/**
 * Ports return to ssh units only while no daemon runs: a starting daemon would bind the ports before ssh does. Without such
 * units the daemon is restarted, and no connection is refused. Pure.
 */
export function wayBack(places: Places, before: Before, options: WayBackOptions): WayBack {
  const [program, ...prefix] = places.systemctl;
  const systemctl = (...args: readonly string[]): Step => ({
    kind: 'command',
    argv: [program ?? 'systemctl', ...prefix, ...args],
  });
  const full = !before.running || before.old_units.length > 0;
  const stopped = full ? [...new Set([...before.sockets, ...options.otherSockets, SERVICE])] : before.sockets;
  const restarted = before.old_units.filter(({ active, enabled }) => active || enabled).map(({ unit }) => unit);
  const enabled = [...before.disabled, ...before.old_units.filter((old) => old.enabled).map(({ unit }) => unit)];
  const ports = before.old_units.filter(({ active }) => active).flatMap((old) => old.ports);
  return {
    stop: [
      ...(stopped.length > 0 ? [systemctl('stop', ...stopped)] : []),
      // At once: their ports are closed until they run.
      ...(restarted.length > 0 ? [systemctl('start', ...restarted)] : []),
      ...(before.enabled.length > 0 ? [systemctl('disable', ...before.enabled)] : []),
    ],
    files: [
      ...Object.entries(before.files).map(([path, text]) => restored(path, text)),
      ...Object.entries(before.links).map(
        ([path, to]): Step => (to === null ? { kind: 'remove', path } : { kind: 'link', path, to }),
      ),
      ...(options.failed && before.wrote_config ? [{ kind: 'remove', path: places.config } as const] : []),
      ...(before.added_release === null ? [] : [{ kind: 'remove-tree', path: before.added_release } as const]),
      { kind: 'remove-empty', path: join(places.library, 'releases') },
      restored(places.record, before.record),
      // If nothing was installed before, empty directories are removed.
      ...(before.record === null && !before.running
        ? [...places.state, places.runtime].map((path): Step => ({ kind: 'remove-empty', path }))
        : []),
      systemctl('daemon-reload'),
      ...(options.failed && before.turned_lingering_on ? [command('loginctl', 'disable-linger', options.user)] : []),
    ],
    start: [
      ...(enabled.length > 0 ? [systemctl('enable', ...enabled)] : []),
      ...(ports.length > 0 ? [{ kind: 'await-ports', ports } as const] : []),
      ...(before.running ? [systemctl('restart', SERVICE)] : []),
    ],
  };
}

function restored(path: string, text: string | null): Step {
  if (text === null) return { kind: 'remove', path };
  return { kind: 'write', path, text, mode: 0o644, source: 'as it was' };
}
