import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { descendantsOf, isAlive } from '../../support/machine/proc.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { waitUntil } from '../../support/wait-until.ts';

const DEMO = ['--import', 'tsx', 'scripts/demo-fleet/main.ts', '--any-ports'];

const passedIn = (text: string) => text.split('\n').filter((line) => line.startsWith('PASS'));

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('scripts/demo', { concurrent: true }, () => {
  it('checks with --check the static key, certificates and rotations, without a lost request', async () => {
    // Not the script itself, which would rebuild the program during other tests.
    await using demo = spawnOwned(process.execPath, [...DEMO, '--check']);
    expect(await demo.exit, demo.stderr()).toEqual({ code: 0, signal: null });
    const passed = passedIn(demo.stdout());
    expect(passed).toEqual([
      expect.stringMatching(/^PASS {2}No CA yet: the static key is used: .*degraded.* 503$/),
      expect.stringMatching(
        /^PASS {2}The CA is up: certificates replace the static key: certificate \d+, .* 0 failed$/,
      ),
      expect.stringMatching(
        /^PASS {2}2 rotations under load: rotated to certificates \d+ and \d+; \d+ requests served, 0 failed$/,
      ),
      expect.stringMatching(/^PASS {2}The static key can be removed: .* it can be removed$/),
      expect.stringMatching(/^PASS {2}No request was lost: [1-9]\d* requests served, 0 failed/),
      expect.stringMatching(/^PASS {2}Requests through both tunnels/),
      expect.stringMatching(/^PASS {2}A killed SSH session recovers/),
      expect.stringMatching(/^PASS {2}\/status/),
      expect.stringMatching(/^PASS {2}\/metrics/),
      expect.stringMatching(/^PASS {2}\/livez and \/readyz/),
      expect.stringMatching(/^PASS {2}SIGTERM/),
      expect.stringMatching(/^PASS {2}Clean-up/),
    ]);
    const serials = passed.slice(1, 3).flatMap((line) => line.match(/\d{10,}/g));
    expect(new Set(serials).size).toBe(3);
  });

  it('ends at Ctrl-C with a summary, and leaves no process and no file', async () => {
    using home = tempDir('demo-test');
    await using demo = spawnOwned(process.execPath, DEMO, { env: { ...process.env, TMPDIR: home.path } });
    await waitUntil('requests are served', () => /\d a second: /.test(demo.stdout()), 30_000, demo.stderr);
    expect(demo.stdout()).toMatch(/== 1\. No CA yet: the static key is used\n[\s\S]*advisory: .*\[static_key_in_use\]/);
    const below = descendantsOf(demo.pid);
    expect(below.length).toBeGreaterThan(1);
    demo.child.kill('SIGINT');
    expect(await demo.exit).toEqual({ code: 0, signal: null });
    expect(demo.stdout()).toMatch(/== Ended\.\n {3}\d+ requests served, 0 failed in \d+ s; 0 rotations\n$/);
    expect(below.filter(isAlive)).toEqual([]);
    expect(readdirSync(home.path).filter((name) => name.startsWith('fleet-mesh'))).toEqual([]);
  });

  it('plays with --drain --check wave 2 from eight reasons to a retired tunnel, and cleans up', async () => {
    using home = tempDir('demo-test');
    await using demo = spawnOwned(process.execPath, [...DEMO, '--drain', '--check'], {
      env: { ...process.env, TMPDIR: home.path },
    });
    await waitUntil('the tunnel is used', () => /\$ fleet-mesh why/.test(demo.stdout()), 30_000, demo.stderr);
    const below = descendantsOf(demo.pid);
    expect(below.length).toBeGreaterThan(1);
    expect(await demo.exit, demo.stderr()).toEqual({ code: 0, signal: null });
    expect(passedIn(demo.stdout())).toEqual([
      expect.stringMatching(
        /^PASS {2}The tunnel cannot be retired yet: .*: blocked by wave_open, gate_closed, successor_unhealthy, still_open, recent_use, not_cut_over, no_rollback, observation_gap$/,
      ),
      expect.stringMatching(/^PASS {2}The plan lists .*: the cut-over needs an approval and a healthy successor$/),
      expect.stringMatching(/^PASS {2}Earlier steps are done, .*: gate_closed and no_rollback are cleared/),
      expect.stringMatching(
        /^PASS {2}The new State Hub is up, .*: the old hub has 340 tasks, the new one 338; nothing changed$/,
      ),
      expect.stringMatching(
        /^PASS {2}Tasks restored: cut-over under load.*: rolled back; .* [1-9]\d* by railiance01\), 0 failed$/,
      ),
      expect.stringMatching(/^PASS {2}The new hub is fixed: the second cut-over is committed: committed.*, 0 failed$/),
      expect.stringMatching(/^PASS {2}Two blockers are left: .*: retirable: no client used the tunnel/),
      expect.stringMatching(/^PASS {2}The tunnel is retired permanently; .*: 0 SSH sessions are left; .*, 0 failed$/),
      expect.stringMatching(/^PASS {2}The evidence: intact; the last entry is \d+, SHA-256 [0-9a-f]{64}$/),
      expect.stringMatching(
        /^PASS {2}No request was lost: [1-9]\d* requests served .*, 0 failed; the slowest took \d+ ms \(hold: 2000\)$/,
      ),
      expect.stringMatching(/^PASS {2}Clean-up/),
    ]);
    expect(below.filter(isAlive)).toEqual([]);
    expect(readdirSync(home.path).filter((name) => name.startsWith('fleet-mesh'))).toEqual([]);
  });

  it('ends --drain at Ctrl-C in the middle of a scene, and cleans up', async () => {
    using home = tempDir('demo-test');
    await using demo = spawnOwned(process.execPath, [...DEMO, '--drain'], {
      env: { ...process.env, TMPDIR: home.path },
    });
    await waitUntil('a cut-over is under way', () => /^ +holding$/m.test(demo.stdout()), 60_000, demo.stderr);
    const below = descendantsOf(demo.pid);
    demo.child.kill('SIGINT');
    expect(await demo.exit, demo.stderr()).toEqual({ code: 0, signal: null });
    expect(demo.stdout()).toMatch(/== Ended\.\n {3}\d+ requests served .*, 0 failed\n$/);
    expect(below.filter(isAlive)).toEqual([]);
    expect(readdirSync(home.path).filter((name) => name.startsWith('fleet-mesh'))).toEqual([]);
  });
});
