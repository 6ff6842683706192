import type { Status, TunnelStatus } from '../../telemetry/status/status.ts';

/** What can be waited for. */
export const CONDITIONS = ['up', 'retirable'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Whether a condition holds for a tunnel, and what keeps it from it. */
export type Holding =
  | { readonly kind: 'holds' }
  | { readonly kind: 'not_yet'; readonly reason: string }
  /** Waiting cannot help: somebody has to do something else first. */
  | { readonly kind: 'never'; readonly reason: string }
  /** The daemon cannot say. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Pure. */
export function holds(condition: Condition, tunnel: TunnelStatus): Holding {
  return condition === 'up' ? isUp(tunnel) : isRetirable(tunnel);
}

function isUp({ name, state, reason }: TunnelStatus): Holding {
  const because = reason === null ? '' : `: ${reason}`;
  switch (state) {
    case 'up':
      return { kind: 'holds' };
    case 'stopped':
    case 'draining':
    case 'retired':
      return { kind: 'never', reason: `${name} is ${state}${because}` };
    case 'degraded':
    case 'down':
    case 'unverified':
      return { kind: 'not_yet', reason: `${name} is ${state}${because}` };
  }
}

function isRetirable({ name, state, retirement }: TunnelStatus): Holding {
  // What was asked for is done.
  if (state === 'retired') return { kind: 'holds' };
  if (retirement === null)
    return { kind: 'unknown', reason: `there is no verdict on ${name}: it has no drain section, or is on its way out` };
  const { verdict, blockers, unknowns, waiting_helps } = retirement;
  if (verdict === 'retirable') return { kind: 'holds' };
  const reason = `${name} is ${verdict}: ${[...blockers, ...unknowns].join(', ')}`;
  if (!waiting_helps) return { kind: 'never', reason: `${reason}; not all of it clears by waiting` };
  return { kind: 'not_yet', reason };
}

/**
 * The tunnels that a wait without names is for: those that the node's state is made of, less those that are out of service
 * because somebody wants it so.
 */
export function waitedFor({ tunnels }: Pick<Status, 'tunnels'>): TunnelStatus[] {
  const production = tunnels.filter((tunnel) => tunnel.production);
  const counted = production.length > 0 ? production : tunnels;
  return counted.filter(({ state }) => state !== 'stopped' && state !== 'draining' && state !== 'retired');
}
