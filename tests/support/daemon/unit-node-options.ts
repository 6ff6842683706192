import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const UNIT = fileURLToPath(new URL('../../../systemd/system/fleet-mesh.service', import.meta.url));

/** The options of Node in the unit of the daemon: figures of memory hold with these options. */
export function unitNodeOptions(): string[] {
  const [, options] = /^ExecStart=node ((?:--\S+ )+)/m.exec(readFileSync(UNIT, 'utf8')) ?? [];
  if (options === undefined) throw new Error(`${UNIT} has no options of Node`);
  return options.trim().split(' ');
}
