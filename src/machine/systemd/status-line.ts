import { formatSpan } from '../../base/text/span.ts';
import type { LinkStatus, OwnTunnelStatus, Status } from '../../telemetry/status/status.ts';

/**
 * The line in `systemctl status`: the number of tunnels up, the first failure, and the time of the next certificate
 * renewal. Pure.
 */
export function statusLine({
  tunnels,
  links,
  reason,
  now,
}: Pick<Status, 'links' | 'reason' | 'now'> & { readonly tunnels: readonly OwnTunnelStatus[] }): string {
  const counted = tunnels.filter(({ state }) => state !== 'draining' && state !== 'retired');
  if (counted.length === 0) return 'no tunnels configured';
  // With a reason, an operator stopped the tunnels, not the daemon.
  if (reason === null && counted.every(({ state }) => state === 'stopped')) {
    return `stopping, ${counted.reduce((sum, { usage }) => sum + usage.open, 0)} connections still open`;
  }
  const [first, ...others] = counted.filter(({ state }) => state !== 'up');
  const up = counted.length - others.length - (first === undefined ? 0 : 1);
  const wrong = reason ?? (first && `${first.name} is ${first.state}: ${first.reason ?? 'no reason known'}`);
  return [`${up}/${counted.length} up`, ...renewal(links, now), ...(wrong === undefined ? [] : [wrong])].join(', ');
}

/** In whole minutes: the line must not change each second. */
function renewal(links: readonly LinkStatus[], now: Date): string[] {
  const times = links.flatMap(({ credential }) =>
    credential.renew_at === null ? [] : [credential.renew_at.getTime()],
  );
  if (times.length === 0) return [];
  const inMs = Math.min(...times) - now.getTime();
  return [inMs < 60_000 ? 'cert renewal is due' : `cert renews in ${formatSpan(inMs - (inMs % 60_000))}`];
}
