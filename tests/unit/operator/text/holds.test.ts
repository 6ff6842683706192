import { describe, expect, it } from 'vitest';
import { holds, waitedFor } from '../../../../src/operator/text/holds.ts';
import { TUNNEL_STATES } from '../../../../src/telemetry/status/status.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

describe(holds, () => {
  it.each(TUNNEL_STATES.map((state) => [state] as const))('evaluates `--for up` for a tunnel that is %s', (state) => {
    const expected = { up: 'holds', stopped: 'never', draining: 'never', retired: 'never' } as Record<string, string>;
    expect(holds('up', tunnelFixture({ state, reason: 'because' })).kind).toBe(expected[state] ?? 'not_yet');
  });

  const retirement = (verdict: 'retirable' | 'blocked' | 'unknown', code?: string, waiting_helps = true) => {
    const codes = code === undefined ? [] : [code];
    const [blockers, unknowns] = verdict === 'blocked' ? [codes, []] : [[], codes];
    return { verdict, blockers, unknowns, waiting_helps };
  };

  it.each([
    ['no verdict', null, 'unknown'],
    ['retirable', retirement('retirable'), 'holds'],
    ['blocked by a reason that time clears', retirement('blocked', 'recent_use'), 'not_yet'],
    ['blocked by a manual step', retirement('blocked', 'gate_closed', false), 'never'],
    ['not known yet', retirement('unknown', 'observation_gap'), 'not_yet'],
  ])('evaluates `--for retirable` for a tunnel with the verdict: %s', (_, given, kind) => {
    expect(holds('retirable', tunnelFixture({ retirement: given })).kind).toBe(kind);
  });

  it('accepts a retired tunnel as retirable', () => {
    expect(holds('retirable', tunnelFixture({ state: 'retired' })).kind).toBe('holds');
  });
});

describe(waitedFor, () => {
  it('chooses the production tunnels in service', () => {
    const a = tunnelFixture({ name: 'a', production: true });
    const b = tunnelFixture({ name: 'b', production: false });
    const c = tunnelFixture({ name: 'c', production: true, state: 'stopped' });
    expect(waitedFor(statusFixture({ tunnels: [a, b, c] }))).toEqual([a]);
    expect(waitedFor(statusFixture({ tunnels: [b, c] }))).toEqual([]);
  });
});
