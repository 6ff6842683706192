import { instantMs } from './moment.ts';
import type { Plan } from './plan.ts';

/** The plan at a moment: approvals and completions with a later date do not count yet. Pure. */
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
  // An invalid moment does not count either.
  return record !== undefined && !((instantMs(record.at) ?? Number.NaN) <= now.getTime());
}
