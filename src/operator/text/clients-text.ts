import { spanBetween } from '../../base/text/span.ts';
import type { ClientStatus, OtherClientsStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import { clientText } from '../../tunnels/clients/client.ts';

/** Who uses a tunnel and when each was last seen, a line each; what nobody knows has no line. */
export function clientLines({ usage }: Pick<TunnelStatus, 'usage'>, now: Date): string[] {
  const { clients, other_clients } = usage;
  return [
    ...(clients ?? []).map((client) => `${clientText(client)}: ${use(client, now)}`),
    ...(other_clients === null ? [] : [`others, not looked at or long ago: ${use(other_clients, now)}`]),
  ];
}

function use({ open, connections_total, last_seen_at }: ClientStatus | OtherClientsStatus, now: Date): string {
  const all = connections_total === 1 ? '1 connection' : `${connections_total} connections`;
  return open > 0 ? `${all}, ${open} open now` : `${all}, last seen ${spanBetween(last_seen_at, now)} ago`;
}
