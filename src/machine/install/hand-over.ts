import { join } from 'node:path';
import type { Replacement } from './old-units.ts';
import type { Places } from './places.ts';
import type { SocketUnit } from './sockets.ts';
import { SERVICE } from './wanted-files.ts';

/**
 * The drop-ins (path and text) that make the hand-over one systemd transaction. The old units keep their ports until a running
 * daemon has ended. Then the old units stop, systemd binds the sockets, and the new daemon starts. Pure.
 */
export function handOverFiles(
  { passingUnits }: Places,
  replacements: readonly Replacement[],
  sockets: readonly SocketUnit[],
): [string, string][] {
  if (replacements.length === 0) return [];
  const units = replacements.map(({ old }) => old.unit).join(' ');
  const head = '# Exists only while fleet-mesh takes over the ports of these units.\n[Unit]\n';
  const dropIn = (unit: string) => join(passingUnits, `${unit}.d`, '90-hand-over.conf');
  return [
    [dropIn(SERVICE), `${head}Conflicts=${units}\nAfter=${units}\n`],
    ...sockets.map(({ name }): [string, string] => [dropIn(name), `${head}After=${units}\n`]),
  ];
}
