import { formatAddress } from '../../base/net/address.ts';
import type { TunnelConfig } from '../../config/config.ts';
import { formatDuration } from '../../config/duration.ts';
import type { Route, UsageCounts } from '../../telemetry/status/status.ts';

/** The current use of a tunnel that will be retired. */
export interface CurrentUse {
  readonly route: Route;
  readonly usage: Pick<UsageCounts, 'open' | 'held'>;
}

/** The steps of retiring a tunnel, as `--dry-run` prints them. Pure. */
export function outline(
  { name, host, listen, drain }: TunnelConfig,
  { usage, route }: CurrentUse,
  graceMs: number,
  closeSocket: string | undefined,
): string[] {
  const successor = drain?.successor;
  const where = formatAddress(listen);
  const open = usage.open + usage.held;
  return [
    ...(open > 0 ? [`open connections (${open}) have ${formatDuration(graceMs)} to end; then they are reset`] : []),
    `the SSH forward through ${host} ends permanently; a restart does not bring it back`,
    'sessions that no other tunnel needs end too',
    route === 'successor' && successor
      ? `${where} stays with the successor ${formatAddress(successor.target)} until ${name} is removed from the configuration`
      : `nothing listens on ${where} any more`,
    ...(closeSocket === undefined ? [] : [`systemd keeps the port open; close it with \`${closeSocket}\``]),
    `to roll back: \`fleet-mesh up ${name}\`${drain?.rollback === undefined ? '' : `; ${drain.rollback}`}`,
  ];
}
