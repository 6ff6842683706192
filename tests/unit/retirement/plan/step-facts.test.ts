import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../../../src/retirement/plan/load.ts';
import type { Plan } from '../../../../src/retirement/plan/plan.ts';
import { stepFacts } from '../../../../src/retirement/plan/step-facts.ts';
import { planOf, REAL_PLAN, realPlan, recorded, wave } from '../../../support/fakes/plan-fixture.ts';

const WAVE_1 = ['forgejo-production-decisions', '1.1', '1.2', '1.3', '1.4', '1.5'];
const facts = (plan: Plan, id: string) => {
  const found = stepFacts(plan, id);
  if (typeof found === 'string') return found;
  const { openWaves, openSteps, closedGates } = found;
  return [openWaves, openSteps, closedGates.map((gate) => gate.id)];
};

describe('stepFacts, for the real plan', () => {
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

  it('names closed gates with their owners', () => {
    expect(stepFacts(realPlan(), '2.4')).toMatchObject({
      id: '2.4',
      closedGates: [{ id: 'state-hub-cutover', title: 'State Hub railiance01 cutover approval', owner: 'operator' }],
    });
  });
});

it('keeps a gate closed whose step is already done', () => {
  const gates = [{ id: 'g', title: 't', owner: 'o', blocks: ['1.1'] }];
  expect(facts(planOf({ gates, waves: [wave(1, [], 3, 2)] }), '1.3')).toEqual([[], [], ['g']]);
});

it.each([
  [realPlan(), undefined, 'drain.step is not set; set it to the plan step that retires the tunnel'],
  [undefined, '2.4', 'no plan is in force, so step 2.4 cannot be checked'],
  [realPlan(), '2.44', 'the plan in force has no step "2.44"'],
])('explains why a step has no facts', (plan, step, sentence) => expect(stepFacts(plan, step)).toBe(sentence));
