import type { FleetAnswer, FleetNode } from '../../../src/operator/fleet/answer.ts';
import { countTunnels } from '../../../src/telemetry/status/node-state.ts';

const AT = new Date('2026-07-20T10:00:00Z');

/** A node that answers. */
export function fleetNode(changes: Partial<FleetNode> = {}): FleetNode {
  return {
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    endpoint: '127.0.0.1:9780',
    answers: true,
    node: 'coulombcore',
    version: '0.1.0',
    started_at: AT,
    state: 'up',
    reason: null,
    tunnels: countTunnels([{ state: 'up' }, { state: 'down' }]),
    asked_at: AT,
    answered_at: AT,
    error: null,
    scrape: { target: '127.0.0.1:19780', via: 'tunnel' },
    ...changes,
  };
}

/** A node that has not answered yet. */
export function silentNode(changes: Partial<FleetNode> = {}): FleetNode {
  return fleetNode({
    answers: false,
    node: null,
    version: null,
    started_at: null,
    state: null,
    tunnels: null,
    answered_at: null,
    error: { code: 'target_refused', message: 'the host refused the connection', hint: 'Start fleet-mesh.', at: AT },
    ...changes,
  });
}

/** The answer of `/fleet`. */
export function fleetFixture(nodes: readonly FleetNode[] = [fleetNode(), silentNode({ host: 'other' })]): FleetAnswer {
  const self = { node: 'railiance01', version: '0.1.0', started_at: AT, state: 'up' as const, reason: null };
  return { schema: 1, now: AT, self: { ...self, tunnels: countTunnels([]) }, nodes: [...nodes], not_asked: [] };
}
