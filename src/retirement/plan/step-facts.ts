import { asOf } from './as-of.ts';
import type { Plan } from './plan.ts';
import { closedGatesOnTheWay, earlierOpenSteps, findStep, openRequirements } from './progress.ts';

/** What blocks the step that retires a tunnel, for the verdict. All empty: the step is due. */
export interface StepFacts {
  readonly id: string;
  /** Ids of the incomplete waves that the step's wave requires. */
  readonly openWaves: readonly string[];
  /** Ids of the open earlier steps of the same wave. */
  readonly openSteps: readonly string[];
  /**
   * Unapproved gates on the step, on an earlier step of its wave, or on a done step of an earlier wave. `from`: the date of an
   * approval in the future.
   */
  readonly closedGates: readonly ClosedGate[];
}

export interface ClosedGate {
  readonly id: string;
  readonly title: string;
  readonly owner: string;
  readonly from?: string | undefined;
}

/** The facts of a step, or one sentence: why there are none. Pure. */
export function stepFacts(written: Plan | undefined, stepId: string | undefined, now: Date): StepFacts | string {
  if (stepId === undefined) return 'drain.step is not set; set it to the plan step that retires the tunnel';
  if (written === undefined) return `no plan is in force, so step ${stepId} cannot be checked`;
  const plan = asOf(written, now);
  const place = findStep(plan, stepId);
  if (place === undefined) return `the plan in force has no step ${JSON.stringify(stepId)}`;
  return {
    id: stepId,
    openWaves: openRequirements(plan, place.wave).map(({ id }) => String(id)),
    openSteps: earlierOpenSteps(place).map(({ id }) => id),
    closedGates: closedGatesOnTheWay(plan, place).map(({ id, title, owner }) => {
      const from = written.gates.find((gate) => gate.id === id)?.approved?.at;
      return { id, title, owner, ...(from === undefined ? {} : { from }) };
    }),
  };
}

/** Why an approved gate is closed, as the end of a sentence; empty without an approval. */
export function laterText({ from }: Pick<ClosedGate, 'from'>): string {
  return from === undefined ? '' : `; the approval is dated ${from}, in the future`;
}
