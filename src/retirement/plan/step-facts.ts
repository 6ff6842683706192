import type { Plan } from './plan.ts';
import { closedGatesOnTheWay, earlierOpenSteps, findStep, openRequirements } from './progress.ts';

/** What blocks the step that retires a tunnel, for the verdict (SPEC section 6). All empty: the step is due. */
export interface StepFacts {
  readonly id: string;
  /** Ids of the incomplete waves that the step's wave requires. */
  readonly openWaves: readonly string[];
  /** Ids of the open earlier steps of the same wave. */
  readonly openSteps: readonly string[];
  /** Unapproved gates on the step or on an earlier step, done or not: a step done past its gate proves nothing. */
  readonly closedGates: readonly { readonly id: string; readonly title: string; readonly owner: string }[];
}

/** The facts of a step, or one sentence: why there are none. Pure. */
export function stepFacts(plan: Plan | undefined, stepId: string | undefined): StepFacts | string {
  if (stepId === undefined) return 'drain.step is not set; set it to the plan step that retires the tunnel';
  if (plan === undefined) return `no plan is in force, so step ${stepId} cannot be checked`;
  const place = findStep(plan, stepId);
  if (place === undefined) return `the plan in force has no step ${JSON.stringify(stepId)}`;
  return {
    id: stepId,
    openWaves: openRequirements(plan, place.wave).map(({ id }) => String(id)),
    openSteps: earlierOpenSteps(place).map(({ id }) => id),
    closedGates: closedGatesOnTheWay(plan, place).map(({ id, title, owner }) => ({ id, title, owner })),
  };
}
