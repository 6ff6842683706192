import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';

const SIMULATE = ['--import', 'tsx', 'scripts/simulate-drain-run/main.ts'];

async function run(...args: readonly string[]) {
  await using simulation = spawnOwned(process.execPath, [...SIMULATE, ...args]);
  const { code } = await simulation.exit;
  return { code, stdout: simulation.stdout(), stderr: simulation.stderr() };
}

it('holds every promise in 2000 runs, prints their seeds, and writes a report', { timeout: 600_000 }, async () => {
  using dir = tempDir('simulate-drain');
  const report = join(dir.path, 'report.json');
  const { code, stdout, stderr } = await run('--runs', '2000', '--seed', '1', '--report', report);
  process.stdout.write(stdout);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toMatch(/^2000 runs, seeds 1 to 2000, in .*: \d+ steps, retirable at some moment in \d{3,4} runs\n/);
  expect(stdout).toMatch(/every promise held\n$/);
  const told = JSON.parse(readFileSync(report, 'utf8'));
  expect(told).toMatchObject({ runs: 2000, seeds: { first: 1, last: 2000 }, planted: null, broken: null });
  // The runs come to where a lie would hurt.
  expect(told.retirable_runs).toBeGreaterThan(800);
  expect(told.retired_runs).toBeGreaterThan(500);
});

it('finds a planted bug, shows the shortest steps, and exits with 1', { timeout: 300_000 }, async () => {
  const { code, stdout, stderr } = await run('--runs', '500', '--seed', '1', '--planted', 'gap');
  expect(code, stdout + stderr).toBe(1);
  expect(stdout).toMatch(/^BROKEN with the seed \d+: never retirable unless it is so: /m);
  expect(stdout).toMatch(/^The shortest steps found \(\d of \d+\):\n {2}\S/m);
});

it('rejects an unknown bug with usage', async () => {
  const { code, stderr } = await run('--planted', 'nothing');
  expect(code).toBe(64);
  expect(stderr).toContain('no planted bug nothing');
  expect(stderr).toContain('usage: scripts/simulate-drain');
});
