import { asOf } from './as-of.ts';
import type { Plan } from './plan.ts';
import { closedGatesOnTheWay, earlierOpenSteps, findStep, openRequirements } from './progress.ts';

/** What the plan says of the step that retires a tunnel, for its verdict (SPEC section 6). All empty: it is due. */
export interface StepFacts {
  readonly id: string;
  /** Waves that its wave requires and that are not complete, by id. */
  readonly openWaves: readonly string[];
  /** Earlier steps of its own wave that are not done, by id. */
  readonly openSteps: readonly string[];
  /**
   * On the step, on one before it in its wave, or on a step of an earlier wave that was done past the gate. `from`: the date of an
   * approval that lies in the future.
   */
  readonly closedGates: readonly ClosedGate[];
}

export interface ClosedGate {
  readonly id: string;
  readonly title: string;
  readonly owner: string;
  readonly from?: string | undefined;
}

/** The facts of a step, or in one sentence why there are none. Pure. */
export function stepFacts(written: Plan | undefined, stepId: string | undefined, now: Date): StepFacts | string {
  if (stepId === undefined) return 'drain.step does not name the step of the plan that retires the tunnel';
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

/** Why a gate with an approval is closed, as the end of a sentence; empty where there is no approval. */
export function laterText({ from }: Pick<ClosedGate, 'from'>): string {
  return from === undefined ? '' : `; the approval is dated ${from}, in the future`;
}
