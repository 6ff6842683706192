import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { has } from '../support/capabilities.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe.skipIf(!has('sshd') || !has('python3'))('scripts/chaos', () => {
  it('half a minute of seed 1 loses nothing that could have been kept', { timeout: 120_000 }, () => {
    const { status, stdout, stderr } = spawnSync(`${ROOT}scripts/chaos`, ['--minutes', '0.5', '--seed', '1'], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 110_000,
    });
    process.stderr.write(stdout);
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toMatch(/^PASS$/m);
  });
});
