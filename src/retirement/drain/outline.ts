import { formatAddress } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import type { OwnTunnelStatus } from '../../telemetry/status/status.ts';

/** How a tunnel is retired, in the words that `--dry-run` shows. Pure. */
export function outline(
  { name, host, listen, drain }: TunnelConfig,
  { usage, route }: Pick<OwnTunnelStatus, 'usage' | 'route'>,
  graceMs: number,
  closeSocket: string | undefined,
): string[] {
  const successor = drain?.successor;
  const where = formatAddress(listen);
  const open = usage.open + usage.held;
  return [
    ...(open > 0 ? [`${open} of its connections get ${formatDuration(graceMs)} to end, and are reset then`] : []),
    `the SSH forward over ${host} ends for good, across restarts; sessions that no other tunnel needs end with it`,
    route === 'successor' && successor
      ? `${where} stays with the successor ${formatAddress(successor.target)} until ${name} is taken out of the configuration`
      : `nothing listens on ${where} any more`,
    ...(closeSocket === undefined ? [] : [`systemd still holds the port: \`${closeSocket}\``]),
    `the way back: \`fleet-mesh up ${name}\`${drain?.rollback === undefined ? '' : `; ${drain.rollback}`}`,
  ];
}
