import { join } from 'node:path';
import type { Places } from './places.ts';
import type { Before } from './record.ts';
import { command, type Step } from './step.ts';
import { SERVICE } from './wanted-files.ts';

/**
 * How the node becomes what it was before an installation. `files` undoes what concerns nothing that runs; the whole way is
 * `stop`, `files`, `start`.
 */
export interface WayBack {
  readonly stop: readonly Step[];
  readonly files: readonly Step[];
  readonly start: readonly Step[];
}

export interface WayBackOptions {
  /**
   * Whether the installation has failed, and so leaves no configuration behind that came with it, and no lingering: what
   * ran meanwhile may live by that.
   */
  readonly failed: boolean;
  readonly user: string;
  /** Sockets that the daemon has beside those that came with the installation. */
  readonly otherSockets: readonly string[];
}

/**
 * Ports go back to ssh units only while no daemon runs: the one that follows would otherwise bind them itself, faster than
 * ssh. Without such units the daemon is restarted, and no connection is refused. Pure.
 */
export function wayBack(places: Places, before: Before, options: WayBackOptions): WayBack {
  const [program, ...prefix] = places.systemctl;
  const systemctl = (...args: readonly string[]): Step => ({
    kind: 'command',
    argv: [program ?? 'systemctl', ...prefix, ...args],
  });
  const full = !before.running || before.old_units.length > 0;
  const stopped = full ? [...before.sockets, ...options.otherSockets, SERVICE] : before.sockets;
  const restarted = before.old_units.filter(({ active, enabled }) => active || enabled).map(({ unit }) => unit);
  const enabled = [...before.disabled, ...before.old_units.filter((old) => old.enabled).map(({ unit }) => unit)];
  const ports = before.old_units.filter(({ active }) => active).flatMap((old) => old.ports);
  return {
    stop: [
      ...(stopped.length > 0 ? [systemctl('stop', ...stopped)] : []),
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
      // Where nothing was before, they go if they are empty.
      ...(before.record === null && !before.running
        ? [...places.state, places.runtime].map((path): Step => ({ kind: 'remove-empty', path }))
        : []),
      systemctl('daemon-reload'),
      ...(options.failed && before.turned_lingering_on ? [command('loginctl', 'disable-linger', options.user)] : []),
    ],
    start: [
      ...(enabled.length > 0 ? [systemctl('enable', ...enabled)] : []),
      ...(restarted.length > 0 ? [systemctl('start', ...restarted)] : []),
      ...(ports.length > 0 ? [{ kind: 'await-ports', ports } as const] : []),
      ...(before.running ? [systemctl('restart', SERVICE)] : []),
    ],
  };
}

function restored(path: string, text: string | null): Step {
  if (text === null) return { kind: 'remove', path };
  return { kind: 'write', path, text, mode: 0o644, source: 'as it was' };
}
