import { describe, expect, it } from 'vitest';
import { holds, waitedFor } from '../../../src/health/holds.ts';
import { TUNNEL_STATES } from '../../../src/health/status.ts';
import { statusFixture, tunnelFixture } from '../../support/status-fixture.ts';

describe(holds, () => {
  it.each(TUNNEL_STATES.map((state) => [state] as const))('up, of one that is %s', (state) => {
    const expected = { up: 'holds', stopped: 'never', draining: 'never', retired: 'never' } as Record<string, string>;
    expect(holds('up', tunnelFixture({ state, reason: 'because' })).kind).toBe(expected[state] ?? 'not_yet');
  });

  it.each([
    [null, 'unknown'],
    [{ verdict: 'retirable', blockers: [] }, 'holds'],
    [{ verdict: 'blocked', blockers: ['recent_use'] }, 'not_yet'],
  ])('retirable, of the verdict %j', (retirement, kind) => {
    expect(holds('retirable', tunnelFixture({ retirement })).kind).toBe(kind);
  });
});

describe(waitedFor, () => {
  it('is production, less what is out of service; or everything where nothing is production', () => {
    const a = tunnelFixture({ name: 'a', production: true });
    const b = tunnelFixture({ name: 'b', production: false });
    const c = tunnelFixture({ name: 'c', production: true, state: 'stopped' });
    expect(waitedFor(statusFixture({ tunnels: [a, b, c] }))).toEqual([a]);
    expect(waitedFor(statusFixture({ tunnels: [b] }))).toEqual([b]);
  });
});
