import { type Run, type RunOptions, simulate } from './simulate.ts';
import type { Step } from './steps.ts';

/** Most runs for one search. */
const MOST_RUNS = 400;

/** The shortest steps found that break the same promise, as a run. The seed stays: it also decides what is not a step. */
export async function shrink(options: Omit<RunOptions, 'steps'>, found: Run): Promise<Run> {
  const promise = found.broken?.promise;
  let best = found;
  let left = MOST_RUNS;
  const breaks = async (steps: readonly Step[]): Promise<boolean> => {
    if (left-- <= 0) return false;
    const run = await simulate({ ...options, steps });
    if (run.broken?.promise !== promise) return false;
    best = run;
    return true;
  };
  // Larger pieces first: most steps do not matter.
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = Math.floor(size / 2))
    for (let at = best.steps.length - size; at >= 0; at -= size)
      await breaks([...best.steps.slice(0, at), ...best.steps.slice(at + size)]);
  for (let at = 0; at < best.steps.length; at++) {
    for (const thenMs of [0, 300, 4_000]) {
      const step = best.steps[at];
      if (!step || thenMs >= step.thenMs) break;
      if (await breaks(best.steps.with(at, { ...step, thenMs }))) break;
    }
  }
  return best;
}
