import type { Status, TunnelStateName, TunnelStatus } from '../telemetry/status/status.ts';

type Overall = Pick<Status, 'state' | 'reason'>;

/** The effect of a tunnel state on the node. A tunnel out of service on purpose has no effect. */
const SEVERITY: Readonly<Record<TunnelStateName, Status['state']>> = {
  up: 'up',
  draining: 'up',
  retired: 'up',
  stopped: 'up',
  unverified: 'degraded',
  degraded: 'degraded',
  down: 'down',
};

/** The state of the worst production tunnel, or of the worst tunnel if none is production. Pure. */
export function overallState(tunnels: readonly TunnelStatus[]): Overall {
  const production = tunnels.filter((tunnel) => tunnel.production);
  const counted = production.length > 0 ? production : tunnels;
  for (const state of ['down', 'degraded'] as const) {
    const bad = counted.filter((tunnel) => SEVERITY[tunnel.state] === state);
    const [first] = bad;
    if (!first) continue;
    const others = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
    return { state, reason: `${first.name} is ${first.state}: ${first.reason ?? 'no reason known'}${others}` };
  }
  return { state: 'up', reason: null };
}
