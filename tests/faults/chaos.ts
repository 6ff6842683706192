import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { spawnOwned } from '../support/machine/owned-process.ts';
import { within } from '../support/wait-until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What `scripts/chaos` runs once all is built: it must not be built anew beside other tests. Shows its report. */
export async function chaos(minutes: number, seed: number): Promise<void> {
  const program = ['--import', 'tsx', 'scripts/chaos-run/main.ts'];
  const args = ['--minutes', `${minutes}`, '--seed', `${seed}`];
  await using run = spawnOwned(process.execPath, [...program, ...args], { cwd: ROOT });
  // Beyond its time: the start, the last recovery, and until nothing is left over.
  const { code } = await within('chaos ends', run.exit, minutes * 60_000 + 75_000);
  process.stderr.write(run.stdout());
  expect(code, `${run.stdout()}\n${run.stderr()}`).toBe(0);
  expect(run.stdout()).toMatch(/^PASS$/m);
}
