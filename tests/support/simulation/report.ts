import type { Run } from './simulate.ts';
import { describeStep } from './steps.ts';

/** Most lines of a trace: the end is where the promise breaks. */
const MOST_LINES = 60;
const MOST_COLUMNS = 200;

/** A broken promise, for a person: the steps that break it, and what happened. Pure. */
export function describeBroken(seed: number, found: Run, shrunk: Run): string {
  const lines = shrunk.trace.map((line) => (line.length > MOST_COLUMNS ? `${line.slice(0, MOST_COLUMNS)}…` : line));
  const left = Math.max(0, lines.length - MOST_LINES);
  return [
    `BROKEN with the seed ${seed}: ${shrunk.broken?.message}`,
    '',
    `The shortest steps found (${shrunk.steps.length} of ${found.steps.length}):`,
    ...shrunk.steps.map((step) => `  ${describeStep(step)}`),
    '',
    `What happened${left > 0 ? ` (without the first ${left} lines)` : ''}:`,
    ...lines.slice(left),
    '',
    `All steps again: scripts/simulate-drain --runs 1 --seed ${seed} --trace`,
    '',
  ].join('\n');
}
