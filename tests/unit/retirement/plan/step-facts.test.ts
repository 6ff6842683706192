import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../../../src/retirement/plan/load.ts';
import type { Plan } from '../../../../src/retirement/plan/plan.ts';
import { stepFacts } from '../../../../src/retirement/plan/step-facts.ts';
import { planOf, REAL_PLAN, realPlan, recorded, wave } from '../../../support/fakes/plan-fixture.ts';

const WAVE_1 = ['forgejo-production-decisions', '1.1', '1.2', '1.3', '1.4', '1.5'];
const NOW = new Date('2026-12-01T00:00:00Z');
const facts = (plan: Plan, id: string) => {
  const found = stepFacts(plan, id, NOW);
  if (typeof found === 'string') return found;
  const { openWaves, openSteps, closedGates } = found;
  return [openWaves, openSteps, closedGates.map((gate) => gate.id)];
};

describe('of the real plan', () => {
  it.each<[string, string, string[], unknown]>([
    ['the State Hub tunnel waits', '2.4', [], [['1'], ['2.1', '2.2', '2.3'], ['state-hub-cutover']]],
    ['the issue-core tunnel waits', '4.3', [], [['1'], ['4.1', '4.2'], []]],
    ['forge and runners are there', '2.4', WAVE_1, [[], ['2.1', '2.2', '2.3'], ['state-hub-cutover']]],
    ['the cut-over is approved', '2.4', [...WAVE_1, 'state-hub-cutover', '2.1'], [[], ['2.2', '2.3'], []]],
    ['it is due', '2.4', [...WAVE_1, 'state-hub-cutover', '2.1', '2.2', '2.3'], [[], [], []]],
    ['steps before, but not the wave', '2.4', ['state-hub-cutover', '2.1', '2.2', '2.3'], [['1'], [], []]],
    ['the other one is due', '4.3', [...WAVE_1, '4.1', '4.2'], [[], [], []]],
    ['a wave that waits for all', '7.1', [], [['1', '2', '3', '4', '5', '6'], [], ['identity-migration']]],
    ['the first step of all', '6.1', [], [[], [], []]],
  ])('%s', (_, step, entries, expected) => {
    const { plan } = parsePlan(recorded(REAL_PLAN, ...entries), 'plan.yaml');
    expect(facts(plan, step)).toEqual(expected);
  });

  it('names gates with who has to approve them', () => {
    expect(stepFacts(realPlan(), '2.4', NOW)).toMatchObject({
      id: '2.4',
      closedGates: [{ id: 'state-hub-cutover', title: 'State Hub railiance01 cutover approval', owner: 'operator' }],
    });
  });
});

it('a gate that was walked past is still closed', () => {
  const gates = [{ id: 'g', title: 't', owner: 'o', blocks: ['1.1'] }];
  expect(facts(planOf({ gates, waves: [wave(1, [], 3, 2)] }), '1.3')).toEqual([[], [], ['g']]);
});

it('a gate that an earlier wave walked past is still closed, and one that nothing has passed yet is not in the way', () => {
  const gates = [
    { id: 'passed', title: 't', owner: 'o', blocks: ['1.1'] },
    { id: 'ahead', title: 't', owner: 'o', blocks: ['1.2'] },
    { id: 'elsewhere', title: 't', owner: 'o', blocks: ['4.1'] },
  ];
  const waves = [wave(1, [], 2, 1), wave(2, [1], 1, 1), wave(3, [2], 1), wave(4, [], 1, 1)];
  expect(facts(planOf({ gates, waves }), '3.1')).toEqual([['2'], [], ['passed']]);
});

describe('what is dated in the future', () => {
  const done = (at: string) => [
    {
      ...wave(1, [], 2),
      steps: [
        { id: '1.1', action: 'a', done: { at, evidence: 'e' } },
        { id: '1.2', action: 'b' },
      ],
    },
  ];
  const approved = (at: string) => ({
    id: 'g',
    title: 't',
    owner: 'o',
    blocks: ['1.2'],
    approved: { by: 'w', at, evidence: 'e' },
  });

  it('has not happened', () => {
    const plan = planOf({ gates: [approved('2026-12-02')], waves: done('2026-12-01T00:00:01Z') });
    expect(facts(plan, '1.2')).toEqual([[], ['1.1'], ['g']]);
    expect(stepFacts(plan, '1.2', NOW)).toMatchObject({ closedGates: [{ id: 'g', from: '2026-12-02' }] });
  });

  it('has happened once its day begins', () => {
    const plan = planOf({ gates: [approved('2026-12-01')], waves: done('2026-12-01T01:00:00+01:00') });
    expect(facts(plan, '1.2')).toEqual([[], [], []]);
  });
});

it.each(['" "', '"\\u00a0"', '"\\u200b"'])('an approval with evidence %s is refused', (evidence) => {
  const text = `version: 1\nwaves: []\ngates: [{ id: g, title: t, owner: o, blocks: ["1.1"], approved: { by: w, at: 2026-07-01, evidence: ${evidence} } }]`;
  expect(() => parsePlan(Buffer.from(text), 'plan.yaml')).toThrow(/evidence/);
});

it.each([
  [realPlan(), undefined, 'drain.step does not name the step of the plan that retires the tunnel'],
  [undefined, '2.4', 'no plan is in force, so step 2.4 cannot be checked'],
  [realPlan(), '2.44', 'the plan in force has no step "2.44"'],
])('says why there are none', (plan, step, sentence) => expect(stepFacts(plan, step, NOW)).toBe(sentence));
