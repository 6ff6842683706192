import { type Executor, StepFailed } from './execute.ts';
import type { InstallPlan } from './plan.ts';
import { describeStep, type Step } from './step.ts';
import type { WayBack } from './way-back.ts';

/** Told what happens, a line at a time. */
type Say = (line: string) => void;

/** How an installation ended: as planned, or as if it had never begun, or (with `left`) neither. */
export type Carried =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: string; readonly left: readonly string[] };

/**
 * Does what was planned. What fails before anything that runs was touched undoes the files, what fails later all of it.
 * `interrupted` counts as a failure of the step that follows, never of one that is under way.
 */
export async function carryOut(
  plan: InstallPlan,
  back: WayBack,
  executor: Executor,
  say: Say,
  interrupted: AbortSignal,
): Promise<Carried> {
  const forward = async (steps: readonly Step[]) => {
    for (const step of steps) {
      if (interrupted.aborted) throw new StepFailed('interrupted');
      for (const line of describeStep(step).slice(0, 1)) say(line.replace(/:$/, ''));
      await executor.execute(step);
    }
  };
  try {
    await forward(plan.files);
    await forward(plan.doctor);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    say('removing the written files; no running service was changed');
    return { ok: false, why: error.message, left: await goBack(back.files, executor, say) };
  }
  try {
    await forward(plan.switch);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    say('going back');
    return {
      ok: false,
      why: error.message,
      left: await goBack([...back.stop, ...back.files, ...back.start], executor, say),
    };
  }
  // A release too many costs disk, and is removed by the next run.
  await goBack(plan.tidy, executor, say);
  return { ok: true };
}

/** Does each step, whatever becomes of the others. Returns what could not be done. */
export async function goBack(steps: readonly Step[], executor: Executor, say: Say): Promise<string[]> {
  const failures: string[] = [];
  for (const step of steps) {
    for (const line of describeStep(step).slice(0, 1)) say(line.replace(/:$/, ''));
    try {
      await executor.execute(step);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      failures.push(error.message);
    }
  }
  return failures;
}
