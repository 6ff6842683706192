import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../support/daemon/daemon.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startBanner } from '../../support/peers/targets.ts';

/** Reorders text, has no width, or moves the cursor. */
const HOSTILE = '\u202e\u200b\u2066\u061c\u0007\u001b[2J\u009b1A';
const RAW = /(?!\n|\t)[\p{Cc}\p{Cf}]/u;

describe.skipIf(!has('sshd'))('invisible characters in names of others', () => {
  it('are escaped in every text, and escaped as JSON in every JSON', async () => {
    await using sshd = await startSshd();
    const target = await startBanner(`220 ${HOSTILE}evil\r\n`);
    const note = 'note \u202e\u200b\u2066';
    const probe = { banner: 'SSH-2.0', every: '500ms', fall: 1 };
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: target.port, note, probe } } });
    await mesh.waitForTunnel('degraded', 'echo');
    const config = ['--config', mesh.configFile];
    const outputs = [
      await runCli(['status', ...config]),
      await runCli(['status', '--json', ...config]),
      await runCli(['why', 'echo', ...config]),
      await runCli(['why', 'echo', '--json', ...config]),
      await runCli(['events', ...config]),
      await runCli(['events', '--json', ...config]),
      await runCli(['doctor', '--json', ...config]),
      await runCli(['why', `x${HOSTILE}`, ...config]),
      await runCli(['down', `x${HOSTILE}`, ...config]),
      await runCli(['status', '--endpoint', HOSTILE]),
      await runCli([`x${HOSTILE}`]),
      await runCli(['check', '--config', `/nowhere/${HOSTILE}`]),
    ].map(({ stdout, stderr }) => stdout + stderr);
    for (const output of outputs) {
      expect(output).not.toMatch(RAW);
      expect(output).toContain('\\u202e');
    }
    expect(JSON.parse(outputs[1] ?? '').tunnels[0].note).toBe(note);
    for (const path of ['/status', '/status/echo', '/status?format=text', '/events', '/readyz/echo', '/metrics'])
      expect((await mesh.daemon.get(path)).body).not.toMatch(RAW);
    expect((await mesh.daemon.get('/status/echo')).body).toContain('\\u202e');
    expect(mesh.daemon.log()).not.toMatch(RAW);
    expect(mesh.daemon.log()).toContain('\\u202e');
    await target.stop();
  });

  it('are escaped in the list of mistakes in a file', async () => {
    using temp = tempDir('hostile');
    const file = join(temp.path, 'tunnels.yaml');
    writeFileSync(file, `version: 1\nnode: "a\u202e"\nhosts: { "b\u200b": {} }\n"k\u2066": 1\n`);
    const { code, stderr } = await runCli(['check', '--config', file]);
    expect(code).toBe(78);
    expect(stderr).not.toMatch(RAW);
    expect(stderr).toMatch(/\\u202e.*\\u200b.*\\u2066/s);
  });
});
