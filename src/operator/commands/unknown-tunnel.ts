import { unknownNames } from '../../base/text/unknown-name.ts';
import type { Status } from '../../telemetry/status/status.ts';

/** The answer to a name that no tunnel has: the nearest name, and all names that exist. */
export function unknownTunnel(name: string, status: Pick<Status, 'tunnels'>): string {
  const names = status.tunnels.map((tunnel) => tunnel.name);
  const { sentence, guess } = unknownNames('tunnel', [name], names);
  return `${sentence}. ${guess}Tunnels: ${names.join(', ') || 'none is configured'}`;
}
