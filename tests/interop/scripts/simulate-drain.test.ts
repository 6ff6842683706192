import { expect, it } from 'vitest';
import { spawnOwned } from '../../support/machine/owned-process.ts';

const SIMULATE = ['--import', 'tsx', 'scripts/simulate-drain-run/main.ts'];

async function run(...args: readonly string[]) {
  await using simulation = spawnOwned(process.execPath, [...SIMULATE, ...args]);
  const { code } = await simulation.exit;
  return { code, stdout: simulation.stdout(), stderr: simulation.stderr() };
}

it('holds every promise in a thousand runs, and prints their seeds', { timeout: 600_000 }, async () => {
  const { code, stdout, stderr } = await run('--runs', '1000', '--seed', '1');
  process.stdout.write(stdout);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toMatch(
    /^1000 runs, seeds 1 to 1000, in .*: \d+ steps, retirable at some moment in (9\d\d|1000) runs\n/,
  );
  expect(stdout).toMatch(/every promise held\n$/);
});

it('finds a planted bug, shows the shortest steps, and exits with 1', { timeout: 300_000 }, async () => {
  const { code, stdout, stderr } = await run('--runs', '500', '--seed', '1', '--planted', 'gap');
  expect(code, stdout + stderr).toBe(1);
  expect(stdout).toMatch(/^BROKEN with the seed \d+: never retirable unless it is so: /m);
  expect(stdout).toMatch(/^The shortest steps found \(\d of \d+\):\n {2}restart /m);
});

it('rejects an unknown bug with usage', async () => {
  const { code, stderr } = await run('--planted', 'nothing');
  expect(code).toBe(64);
  expect(stderr).toContain('no planted bug nothing');
  expect(stderr).toContain('usage: scripts/simulate-drain');
});
