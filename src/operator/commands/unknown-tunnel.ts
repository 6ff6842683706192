import { unknownNames } from '../../base/text/unknown-name.ts';
import type { Status } from '../../telemetry/status/status.ts';

/** The message for an unknown tunnel name: the nearest name, and all existing names. */
export function unknownTunnel(name: string, status: Pick<Status, 'tunnels'>): string {
  const names = status.tunnels.map((tunnel) => tunnel.name);
  const { sentence, guess } = unknownNames('tunnel', [name], names);
  return `${sentence}. ${guess}Tunnels: ${names.join(', ') || 'none is configured'}`;
}
