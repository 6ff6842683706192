import { expect, it } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';

it.skipIf(!has('sshd') || !has('ssh-keygen'))(
  'loses nothing and lies about nothing over twenty kills of the daemon at random instants',
  { timeout: 900_000 },
  async () => {
    // Not the script itself, which would rebuild the program during other tests.
    const args = ['--import', 'tsx', 'scripts/kill-drill-run/main.ts', '--kills', '20', '--seed', '1'];
    await using drill = spawnOwned(process.execPath, args);
    const { code } = await drill.exit;
    process.stdout.write(drill.stdout());
    expect(code, drill.stdout() + drill.stderr()).toBe(0);
    expect(drill.stdout()).toMatch(/^kill drill: seed 1, 20 kills in /);
    expect(drill.stdout()).toMatch(/^PASS: the chain is whole, nothing confirmed is lost/m);
    // The drill has done something.
    expect(drill.stdout()).toMatch(/answered commands: .*[1-9]\d* cutover/);
    expect(drill.stdout()).toMatch(/requests served: [1-9]/);
  },
);
