import { describe, expect, it } from 'vitest';
import { planText } from '../../../../src/operator/text/plan.ts';
import { planView, viewPlan } from '../../../../src/retirement/plan/view.ts';
import { planOf, realPlan, wave } from '../../../support/fakes/plan-fixture.ts';

const NOW = new Date('2026-11-21T12:00:00Z');
const TUNNELS = [
  { name: 'fleet-state-hub-coulombcore', drain: { step: '2.4' } },
  { name: 'fleet-issue-core-coulombcore', drain: { step: '4.3' } },
  { name: 'stays' },
];

describe(viewPlan, () => {
  it('returns a view that matches its schema', () => {
    const view = viewPlan(realPlan(), TUNNELS, NOW);
    expect(planView.parse(view)).toEqual(view);
  });

  it('shows the blockers of the tunnels in the real plan', () => {
    const { next, waves, exceptions } = viewPlan(realPlan(), TUNNELS, NOW);
    expect(next).toEqual(['1.1', '6.1']);
    const hub = waves.flatMap(({ steps }) => steps).find(({ id }) => id === '2.4');
    expect(hub).toMatchObject({
      state: 'blocked',
      tunnels: ['fleet-state-hub-coulombcore'],
      blocked_by: { waves: [1], steps: ['2.1', '2.2', '2.3'], gates: [], gates_before: ['state-hub-cutover'] },
    });
    expect(exceptions.map(({ state, until, expires_at }) => [state, until, expires_at])).toEqual([
      ['live', 'waves 2 and 4 are complete', null],
      ['live', 'step 3.2 is done', null],
      ['live', 'warden sign is available', null],
    ]);
  });

  it('shows the date of an exception', () => {
    const exceptions = [
      { id: 'x', covers: { actor: 'a' }, reason: 'r', until: '2026-12-31', rollback: 'b', approval: 'a' },
    ];
    expect(viewPlan(planOf({ exceptions }), [], NOW).exceptions).toMatchObject([
      { state: 'live', expires_at: '2027-01-01T00:00:00.000Z' },
    ]);
    expect(viewPlan(planOf({ exceptions }), [], new Date('2027-01-01')).exceptions).toMatchObject([
      { state: 'expired', until: 'its date 2026-12-31 has passed', expires_at: null },
    ]);
  });
});

describe(planText, () => {
  const text = planText(viewPlan(realPlan(), TUNNELS, NOW));

  it.each([
    '1 of 9 waves complete, 1 of 30 steps done, 0 of 5 human gates approved',
    'NEXT  1.1 Resolve RAIL-HO-WP-0005-T02',
    'once operator approves forgejo-production-decisions',
    'WAVE 0  Freeze policy  COMPLETE, 1 of 1 done',
    'WAVE 7  OpenBao + identity stack (LAST)  WAITS for waves 1, 2, 3, 4, 5 and 6, 0 of 4 done',
    'closed gate state-hub-cutover (State Hub railiance01 cutover approval): operator must approve before step 2.2',
    '  fleet-state-hub-coulombcore depends on step 2.4, which waits for wave 1; steps 2.1, 2.2 and 2.3; gate state-hub-cutover\n',
    'retires tunnel fleet-issue-core-coulombcore\n',
    'operator + custody must approve before any step of this wave',
    'live    static-id-ops-railiance01 (Static id_ops SSH key on railiance01 fleet units)',
  ])('prints %j', (line) => expect(text).toContain(line));

  it('uses colours only on request', () => {
    expect(text).not.toContain('\x1b');
    expect(planText(viewPlan(realPlan(), [], NOW), { colour: true })).toContain('\x1b[32mCOMPLETE\x1b[0m');
  });

  it('shows one wave alone', () => {
    expect(planText(viewPlan(realPlan(), TUNNELS, NOW), { wave: 4 }).match(/^\S+ /gm)).toEqual(['WAVE ']);
    const lines = planText(viewPlan(realPlan(), TUNNELS, NOW), { wave: 3 });
    expect(lines).toContain(
      'WORKLOADS\n   7  Core Hub (grandfathered): now coulombcore core-hub-staging; public hub.coulomb.social; then railiance01; moved by CORE-WP-0005\n   8  Inter-Hub',
    );
    expect(lines).toContain('  24  Fleet mesh transit tunnels (interim active): ');
    expect(planText(viewPlan(realPlan(), TUNNELS, NOW), { wave: 4 })).toMatch(
      /\n\nTUNNELS\n {2}fleet-issue-core-coulombcore .*\n\n/,
    );
  });

  it('reports that the tunnel of a finished step may be retired, and that a finished plan has no next step', () => {
    const done = planText(
      viewPlan(planOf({ waves: [wave(1, [], 1, 1)] }), [{ name: 't', drain: { step: '1.1' } }], NOW),
    );
    expect(done).toContain('[x] 1.1  do 1.1\n           done at 2026-07-04: seen\n           retires tunnel t');
    expect(done).toContain('TUNNELS\n  t depends on step 1.1 (done): the tunnel can be retired\n');
    expect(done).toContain('NEXT  nothing: every wave is complete');
    expect(done).toContain('EXCEPTIONS  none');
  });

  it('never calls a step behind a closed gate free', () => {
    const gates = [{ id: 'g', title: 't', owner: 'o', blocks: ['1.1'] }];
    const past = viewPlan(planOf({ gates, waves: [wave(1, [], 2, 1)] }), [{ name: 't', drain: { step: '1.2' } }], NOW);
    expect(past.waves[0]?.steps[1]).toMatchObject({ state: 'blocked', blocked_by: { gates: [], gates_before: ['g'] } });
    expect(planText(past)).toContain('NEXT  1.2 do 1.2, once o approves g\n');
    expect(planText(past)).toContain('t depends on step 1.2, which waits for gate g\n');
  });

  it('breaks lines at the width of the terminal', () => {
    const lines = planText(viewPlan(realPlan(), TUNNELS, NOW), { width: 80 }).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('removes control characters from the plan', () => {
    const waves = [{ ...wave(1, [], 1), note: 'safe' }];
    const view = viewPlan(planOf({ waves }), [], NOW);
    const evil = { ...view, waves: view.waves.map((each) => ({ ...each, title: 'a\x1b[2Jb' })) };
    expect(planText(evil)).not.toContain('\x1b');
  });
});
