import { instantMs } from './moment.ts';
import type { Plan } from './plan.ts';

/** The plan as it holds at a moment: an approval or a completion that is dated later has not happened yet. Pure. */
export function asOf(plan: Plan, now: Date): Plan {
  return {
    ...plan,
    gates: plan.gates.map((gate) => (isLater(gate.approved, now) ? { ...gate, approved: undefined } : gate)),
    waves: plan.waves.map((wave) => ({
      ...wave,
      steps: wave.steps.map((step) => (isLater(step.done, now) ? { ...step, done: undefined } : step)),
    })),
  };
}

function isLater(record: { readonly at: string } | undefined, now: Date): boolean {
  // A moment that cannot be read has not come either.
  return record !== undefined && !((instantMs(record.at) ?? Number.NaN) <= now.getTime());
}
