import type { Gate, Plan, Step, Wave } from './plan.ts';

type Steps = Pick<Plan, 'waves'>;
type Gated = Pick<Plan, 'waves' | 'gates'>;

/** What blocks a step. All empty: the step can be done now. */
export interface Blocking {
  /** Incomplete waves that the step's wave requires. */
  readonly waves: readonly Wave[];
  /** Open earlier steps of the same wave. */
  readonly steps: readonly Step[];
  /** Unapproved gates on the step itself. */
  readonly gates: readonly Gate[];
}

/** A step and its wave. */
export interface Place {
  readonly wave: Wave;
  readonly step: Step;
}

function waveOf({ waves }: Steps, id: number): Wave | undefined {
  return waves.find((wave) => wave.id === id);
}

export function findStep({ waves }: Steps, id: string): Place | undefined {
  for (const wave of waves) {
    const step = wave.steps.find((candidate) => candidate.id === id);
    if (step !== undefined) return { wave, step };
  }
  return undefined;
}

/** Whether all steps and all required waves of a wave are complete. False for an unknown wave. */
export function isWaveComplete(plan: Steps, id: number): boolean {
  return isComplete(plan, id, new Map());
}

/** `known` also contains the waves being checked: waves that require each other are never complete. */
function isComplete(plan: Steps, id: number, known: Map<number, boolean>): boolean {
  const answer = known.get(id);
  if (answer !== undefined) return answer;
  known.set(id, false);
  const wave = waveOf(plan, id);
  const complete =
    wave !== undefined &&
    wave.steps.length > 0 &&
    wave.steps.every(({ done }) => done !== undefined) &&
    wave.requires.every((required) => isComplete(plan, required, known));
  known.set(id, complete);
  return complete;
}

/** The incomplete waves that a wave requires. */
export function openRequirements(plan: Steps, { requires }: Pick<Wave, 'requires'>): Wave[] {
  return requires.flatMap((id) => (isWaveComplete(plan, id) ? [] : (waveOf(plan, id) ?? [])));
}

/** The open earlier steps of the same wave. */
export function earlierOpenSteps({ wave, step }: Place): Step[] {
  return wave.steps.slice(0, wave.steps.indexOf(step)).filter(({ done }) => done === undefined);
}

/** The unapproved gates on this step. */
export function closedGates({ gates }: Pick<Plan, 'gates'>, stepId: string): Gate[] {
  return gates.filter(({ blocks, approved }) => approved === undefined && blocks.includes(stepId));
}

/**
 * The unapproved gates on a step, on earlier steps of its wave, and on done steps of earlier waves. A step done past its gate
 * proves nothing.
 */
export function closedGatesOnTheWay(plan: Gated, { wave, step }: Place): Gate[] {
  const { gates, waves } = plan;
  const before = requiredBefore(plan, wave.id);
  const doneBefore = waves
    .filter(({ id }) => id !== wave.id && before.has(id))
    .flatMap(({ steps }) => steps.filter(({ done }) => done !== undefined));
  const ownWave = wave.steps.slice(0, wave.steps.indexOf(step) + 1);
  const way = new Set([...ownWave, ...doneBefore].map(({ id }) => id));
  return gates.filter(({ blocks, approved }) => approved === undefined && blocks.some((id) => way.has(id)));
}

export function blockingOf(plan: Gated, place: Place): Blocking {
  return {
    waves: openRequirements(plan, place.wave),
    steps: earlierOpenSteps(place),
    gates: closedGates(plan, place.step.id),
  };
}

/** The open steps that wait for nothing but an approval, in the order of the plan. */
export function nextSteps(plan: Gated): Place[] {
  return plan.waves.flatMap((wave) =>
    openRequirements(plan, wave).length > 0
      ? []
      : wave.steps
          .filter(({ done }) => done === undefined)
          .slice(0, 1)
          .map((step) => ({ wave, step })),
  );
}

/** Every wave that this one requires, directly or indirectly. A wave in a cycle requires itself. */
export function requiredBefore(plan: Steps, id: number): ReadonlySet<number> {
  const before = new Set<number>();
  const queue = [id];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    for (const required of waveOf(plan, at)?.requires ?? []) {
      if (before.has(required)) continue;
      before.add(required);
      queue.push(required);
    }
  }
  return before;
}
