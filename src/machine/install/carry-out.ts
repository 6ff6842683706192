import { type Executor, StepFailed } from './execute.ts';
import type { InstallPlan } from './plan.ts';
import { describeStep, type Step } from './step.ts';
import type { WayBack } from './way-back.ts';

/** Called with one line for each step. */
type Say = (line: string) => void;

/** How an installation ended: done, undone, or only partly undone (`left` lists the steps that failed). */
export type Carried =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: string; readonly left: readonly string[] };

/**
 * Carries out the plan. A failure before a running unit is touched undoes the files; a later failure undoes everything.
 * `interrupted` fails the next step; the step in progress finishes.
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
    say('undoing all changes');
    return {
      ok: false,
      why: error.message,
      left: await goBack([...back.stop, ...back.files, ...back.start], executor, say),
    };
  }
  // A leftover release only costs disk space; the next run removes it.
  await goBack(plan.tidy, executor, say);
  return { ok: true };
}

/** Executes every step, also after one failed. Returns the messages of the failures. */
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
