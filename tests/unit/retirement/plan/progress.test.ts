import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Plan, Wave } from '../../../../src/retirement/plan/plan.ts';
import {
  blockingOf,
  closedGates,
  closedGatesOnTheWay,
  findStep,
  isWaveComplete,
  nextSteps,
  requiredBefore,
} from '../../../../src/retirement/plan/progress.ts';
import { planOf, wave } from '../../../support/fakes/plan-fixture.ts';

const gate = (id: string, blocks: string[], approved = false) => ({
  id,
  title: id,
  owner: 'operator',
  blocks,
  ...(approved ? { approved: { by: 'worsch', at: '2026-07-20', evidence: 'decision 1234' } } : {}),
});

const place = (plan: Plan, id: string) => {
  const found = findStep(plan, id);
  if (found === undefined) throw new Error(`no step ${id}`);
  return found;
};

const ids = (things: readonly { id: string | number }[]) => things.map(({ id }) => id);

describe(isWaveComplete, () => {
  it('requires all steps, and all required waves, direct and indirect', () => {
    const plan = planOf({
      waves: [wave(1, [], 1, 0), wave(2, [1], 1, 1), wave(3, [2], 1, 1), wave(4, [], 2, 1), wave(5, [], 2, 2)],
    });
    expect([1, 2, 3, 4, 5].filter((id) => isWaveComplete(plan, id))).toEqual([5]);
  });

  it('returns false for an unknown wave, and for waves that require each other', () => {
    const waves = [wave(1, [2], 1, 1), wave(2, [1], 1, 1)] as Wave[];
    expect([1, 2, 3].map((id) => isWaveComplete({ waves }, id))).toEqual([false, false, false]);
  });
});

describe('blockingOf and nextSteps', () => {
  const plan = planOf({
    gates: [gate('first', ['1.2']), gate('cutover', ['2.2']), gate('agreed', ['2.4'], true)],
    waves: [wave(1, [], 2, 1), wave(2, [1], 5, 1)],
  });

  it('name waves, earlier steps and closed gates that block a step', () => {
    const { waves, steps, gates } = blockingOf(plan, place(plan, '2.4'));
    expect([ids(waves), ids(steps), ids(gates)]).toEqual([[1], ['2.2', '2.3'], []]);
    expect(ids(closedGates(plan, '2.2'))).toEqual(['cutover']);
    expect(ids(closedGatesOnTheWay(plan, place(plan, '2.4')))).toEqual(['cutover']);
    expect(ids(closedGatesOnTheWay(plan, place(plan, '2.1')))).toEqual([]);
  });

  it('offer steps that wait only for an approval, and none of a blocked wave', () => {
    expect(nextSteps(plan).map(({ step }) => step.id)).toEqual(['1.2']);
  });
});

/** Plans of up to six waves that require only earlier ones. */
const anyPlan = fc
  .array(
    fc.record({
      steps: fc.integer({ min: 1, max: 4 }),
      done: fc.integer({ min: 0, max: 4 }),
      before: fc.integer({ min: 0, max: 63 }),
    }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .chain((drafts) => {
    const waves = drafts.map(({ steps, done, before }, index) =>
      wave(
        index,
        drafts.map((_, other) => other).filter((other) => other < index && (before >> other) & 1),
        steps,
        Math.min(done, steps),
      ),
    );
    const steps = waves.flatMap((each) => each.steps.map(({ id }) => id));
    return fc.array(fc.tuple(fc.subarray(steps, { minLength: 1 }), fc.boolean()), { maxLength: 3 }).map(
      (gates) =>
        ({
          waves,
          gates: gates.map(([blocks, approved], index) => gate(`g${index}`, blocks, approved)),
        }) as unknown as Plan,
    );
  });

describe('progress, for any plan', () => {
  it('completes no wave that requires an open wave, directly or indirectly', () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        for (const { id } of plan.waves) {
          if (!isWaveComplete(plan, id)) continue;
          for (const required of [id, ...requiredBefore(plan, id)]) {
            expect(plan.waves.find((each) => each.id === required)?.steps.every(({ done }) => done)).toBe(true);
          }
        }
      }),
    );
  });

  it('offers only steps that wait for gates, and at least one until all is complete', () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const next = nextSteps(plan);
        for (const each of next) {
          const { waves, steps } = blockingOf(plan, each);
          expect([waves, steps]).toEqual([[], []]);
          expect(each.step.done).toBeUndefined();
        }
        expect(next.length > 0).toBe(!plan.waves.every(({ id }) => isWaveComplete(plan, id)));
      }),
    );
  });

  it('never loses progress when a step is done or a gate is approved', () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        const [next] = nextSteps(plan);
        if (next === undefined) return;
        const waves = plan.waves.map((each) => ({
          ...each,
          steps: each.steps.map((step) =>
            step === next.step ? { ...step, done: { at: '2026-07-04', evidence: 'x' } } : step,
          ),
        }));
        for (const { id } of plan.waves) {
          if (isWaveComplete(plan, id)) expect(isWaveComplete({ waves }, id)).toBe(true);
        }
      }),
    );
  });
});
