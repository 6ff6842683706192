import type { Status, TunnelStatus } from '../../telemetry/status/status.ts';

/** The conditions of `fleet-mesh wait`. */
export const CONDITIONS = ['up', 'retirable'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Whether a condition holds for a tunnel, with the reason if not. */
export type Holding =
  | { readonly kind: 'holds' }
  | { readonly kind: 'not_yet'; readonly reason: string }
  /** Waiting cannot help: an operator must act first. */
  | { readonly kind: 'never'; readonly reason: string }
  /** The daemon has no verdict. */
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
  // A retired tunnel needs no verdict.
  if (state === 'retired') return { kind: 'holds' };
  if (retirement === null)
    return {
      kind: 'unknown',
      reason: `${name} has no verdict: its drain section is missing, or the tunnel is being removed`,
    };
  const { verdict, blockers, unknowns, waiting_helps } = retirement;
  if (verdict === 'retirable') return { kind: 'holds' };
  const reason = `${name} is ${verdict}: ${[...blockers, ...unknowns].join(', ')}`;
  if (!waiting_helps) return { kind: 'never', reason: `${reason}; some reasons do not clear by waiting` };
  return { kind: 'not_yet', reason };
}

/** The tunnels of a wait without names: production tunnels, without those that are out of service on purpose. */
export function waitedFor({ tunnels }: Pick<Status, 'tunnels'>): TunnelStatus[] {
  return tunnels.filter(
    ({ production, state }) => production && state !== 'stopped' && state !== 'draining' && state !== 'retired',
  );
}
