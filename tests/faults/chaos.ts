import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { spawnOwned } from '../support/machine/owned-process.ts';
import { within } from '../support/wait-until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the program of `scripts/chaos` without a build, which must not run beside other tests. Prints the report. */
export async function chaos(minutes: number, seed: number): Promise<void> {
  const program = ['--import', 'tsx', 'scripts/chaos-run/main.ts'];
  const args = ['--minutes', `${minutes}`, '--seed', `${seed}`];
  await using run = spawnOwned(process.execPath, [...program, ...args], { cwd: ROOT });
  // Extra time for the start, the last recovery and the final checks.
  const { code } = await within('chaos ends', run.exit, minutes * 60_000 + 75_000);
  process.stderr.write(run.stdout());
  expect(code, `${run.stdout()}\n${run.stderr()}`).toBe(0);
  expect(run.stdout()).toMatch(/^PASS$/m);
}
