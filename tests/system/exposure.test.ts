import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { requireProgram } from '../support/machine/find-program.ts';

it.each(['system', 'user'])('leaves no core dump with keys after a crash of the %s unit', (kind) => {
  expect(readFileSync(`systemd/${kind}/fleet-mesh.service`, 'utf8')).toMatch(/^LimitCORE=0$/m);
});

/** systemd's own measure, from 0 (confined) to 10; the units say in comments what they leave open, and why. */
describe.skipIf(!has('systemd-analyze'))('exposure by systemd-analyze', () => {
  it.each([
    ['system', 1.3],
    ['user', 1.8],
  ])('limits the exposure of the %s unit to %d', (kind, most) => {
    const { stdout, stderr } = spawnSync(
      requireProgram('systemd-analyze'),
      ['security', '--offline=yes', '--no-pager', `systemd/${kind}/fleet-mesh.service`],
      { encoding: 'utf8', timeout: 150_000 },
    );
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    expect(exposure, `${stdout}${stderr}`).toBeGreaterThan(0);
    expect(exposure, stdout).toBeLessThanOrEqual(most);
  });
});
