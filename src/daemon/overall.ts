import type { LinkStatus, OwnTunnelStatus, Status, TunnelStateName } from '../telemetry/status/status.ts';
import { failingReplacements, replacementText } from '../tunnels/link/advisories.ts';
import { wayOf } from '../tunnels/link/way-of.ts';

type Overall = Pick<Status, 'state' | 'reason'>;

interface OverallFacts {
  readonly tunnels: readonly OwnTunnelStatus[];
  readonly links: readonly LinkStatus[];
  /** Names of the tunnels that an operator took out of service. */
  readonly stopped: ReadonlySet<string>;
  /** How many tunnels the configuration has. */
  readonly configured: number;
}

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

/**
 * The state of the worst production tunnel, or of the worst tunnel if none is production. A link of theirs that cannot
 * replace its sessions degrades the node. Tunnels that an operator took out of service are named, but change no state. Pure.
 */
export function overallState({ tunnels, links, stopped, configured }: OverallFacts): Overall {
  if (tunnels.length === 0 && configured > 0) return { state: 'down', reason: 'The daemon is starting or stopping.' };
  const production = tunnels.filter((tunnel) => tunnel.production);
  const counted = production.length > 0 ? production : tunnels;
  const { state, reason } = worst(counted) ?? dying(counted, links) ?? { state: 'up', reason: null };
  const reasons = [reason, outOfService(counted.filter(({ name }) => stopped.has(name)))];
  return { state, reason: reasons.filter((each) => each !== null).join('; ') || null };
}

function worst(counted: readonly OwnTunnelStatus[]): Overall | undefined {
  for (const state of ['down', 'degraded'] as const) {
    const bad = counted.filter((tunnel) => SEVERITY[tunnel.state] === state);
    const [first] = bad;
    if (!first) continue;
    return { state, reason: `${first.name} is ${first.state}: ${first.reason ?? 'no reason known'}${more(bad)}` };
  }
  return undefined;
}

/** A tunnel that is up over a link that cannot replace its sessions. */
function dying(counted: readonly OwnTunnelStatus[], links: readonly LinkStatus[]): Overall | undefined {
  const serving = counted.filter(({ state }) => state === 'up');
  const own = links.filter((link) => serving.some(({ host, actor }) => link.host === host && link.actor === actor));
  const failing = [...new Set(own.flatMap((link) => failingReplacements(wayOf(link, links))))];
  const [first] = failing;
  return first && { state: 'degraded', reason: `${replacementText(first)}${more(failing)}` };
}

function outOfService(stopped: readonly OwnTunnelStatus[]): string | null {
  if (stopped.length === 0) return null;
  const names = stopped.map(({ name, since }) => `${name} since ${since.toISOString().replace(/\.\d+Z$/, 'Z')}`);
  return `${stopped.length} out of service by an operator: ${names.join(', ')}`;
}

function more({ length }: readonly unknown[]): string {
  return length > 1 ? ` (and ${length - 1} more)` : '';
}
