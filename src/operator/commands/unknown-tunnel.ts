import { closest } from '../../base/text/closest.ts';
import { printable } from '../../base/text/printable.ts';
import type { Status } from '../../telemetry/status/status.ts';

/** What is said of a name that no tunnel has: the nearest one, and all that there are. */
export function unknownTunnel(name: string, status: Pick<Status, 'tunnels'>): string {
  const names = status.tunnels.map((tunnel) => tunnel.name);
  const near = closest(name, names);
  const guess = near === undefined ? '' : ` Did you mean ${near}?`;
  return `no tunnel is named "${printable(name, 80)}".${guess} Tunnels: ${names.join(', ') || 'none is configured'}`;
}
