import type { Plan } from './plan.ts';
import { closedGatesOnTheWay, earlierOpenSteps, findStep, openRequirements } from './progress.ts';

/** What the plan says of the step that retires a tunnel, for its verdict (SPEC section 6). All empty: it is due. */
export interface StepFacts {
  readonly id: string;
  /** Waves that its wave requires and that are not complete, by id. */
  readonly openWaves: readonly string[];
  /** Earlier steps of its own wave that are not done, by id. */
  readonly openSteps: readonly string[];
  /** On the step, or on one before it in its wave, whether that is done or not: what was done past a gate proves nothing. */
  readonly closedGates: readonly { readonly id: string; readonly title: string; readonly owner: string }[];
}

/** The facts of a step, or in one sentence why there are none. Pure. */
export function stepFacts(plan: Plan | undefined, stepId: string | undefined): StepFacts | string {
  if (stepId === undefined) return 'drain.step does not name the step of the plan that retires the tunnel';
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
