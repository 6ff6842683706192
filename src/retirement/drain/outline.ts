import { formatAddress } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import type { Route, UsageCounts } from '../../telemetry/status/status.ts';

/** What a tunnel that goes is doing. */
export interface Going {
  readonly route: Route;
  readonly usage: Pick<UsageCounts, 'open' | 'held'>;
}

/** How a tunnel is retired, in the words that `--dry-run` shows. Pure. */
export function outline(
  { name, host, listen, drain }: TunnelConfig,
  { usage, route }: Going,
  graceMs: number,
  closeSocket: string | undefined,
): string[] {
  const successor = drain?.successor;
  const where = formatAddress(listen);
  const open = usage.open + usage.held;
  return [
    ...(open > 0 ? [`${open} open connections get ${formatDuration(graceMs)} to end; then they are reset`] : []),
    `the SSH forward over ${host} ends for good, also after a restart; sessions that no other tunnel needs end too`,
    route === 'successor' && successor
      ? `${where} stays with the successor ${formatAddress(successor.target)} until ${name} is taken out of the configuration`
      : `nothing listens on ${where} any more`,
    ...(closeSocket === undefined ? [] : [`systemd still holds the port: \`${closeSocket}\``]),
    `the way back: \`fleet-mesh up ${name}\`${drain?.rollback === undefined ? '' : `; ${drain.rollback}`}`,
  ];
}
