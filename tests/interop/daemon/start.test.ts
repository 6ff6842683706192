import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { runCli, spawnCli } from '../../support/daemon/daemon.ts';
import { hasSessions, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

/** Seven different mistakes on seven lines. */
const SEVEN_MISTAKES = `version: 2
node: nowhere
endpoint: { listen: 0.0.0.0:9780 }
hosts:
  coulombcore: { address: 127.0.0.1, port: 70000, user: tegwick, colour: green }
actors:
  atm: { key: ~/.ssh/id, renew_afer: 0.5 }
tunnels:
  hub:
    host: coulombcor
    actor: atm
    listen: 127.0.0.1:18000
    target: 127.0.0.1:8000
    while_down: { hold: 10 parsecs }
`;

describe.skipIf(!has('sshd'))('fleet-mesh run', { concurrent: true }, () => {
  it('lists every mistake in the YAML with its position and exits with 78', async () => {
    using temp = tempDir('start');
    const file = join(temp.path, 'tunnels.yaml');
    writeFileSync(file, SEVEN_MISTAKES);
    const { code, stderr } = await runCli(['run', '--config', file]);
    expect(code).toBe(78);
    const lines = stderr.trim().split('\n');
    expect(lines.every((line) => /tunnels\.yaml:\d+:\d+: /.test(line))).toBe(true);
    const places = new Set(lines.map((line) => /tunnels\.yaml:(\d+:\d+)/.exec(line)?.[1]));
    expect(places.size).toBeGreaterThanOrEqual(7);
    expect(stderr).toContain('coulombcore');
    expect(stderr).toContain('renew_after');
  });

  it.each([
    ['a missing file', undefined],
    ['an empty file', ''],
    ['a file that is not YAML', 'a: [b'],
    ['a file with NUL bytes', 'a: \u0000'],
  ])('exits with 78 and a sentence for %s', async (_what, text) => {
    using temp = tempDir('start');
    const file = join(temp.path, 'tunnels.yaml');
    if (text !== undefined) writeFileSync(file, text);
    const { code, stderr } = await runCli(['run', '--config', file]);
    expect(code).toBe(78);
    expect(stderr).toContain('tunnels.yaml');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('keeps its exit code when nobody can read its messages', async () => {
    const wrapper = ['sh', '-c', 'exec "$@" 2> /dev/full', 'sh'];
    await using check = spawnCli(['check', '--config', '/nowhere/tunnels.yaml'], {}, wrapper);
    expect(await check.exit).toMatchObject({ code: 78 });
  });

  it('shows the line of a wrong indentation with a caret, in `run`, `check`, `doctor` and a reload', async () => {
    await using sshd = await startSshd();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: sshd.port } } });
    await mesh.waitFor(hasSessions(2));
    const config = ['--config', mesh.configFile];
    mesh.writeRaw('version: 1\nhosts:\n  a:\n    address: b\n     user: c\n');
    const shown = `${mesh.configFile}:5:6: the indentation is 5 spaces, but the key above has a value already; expected 4 spaces
    5 |      user: c
      |      ^
`;
    for (const command of ['run', 'check', 'doctor', 'reload']) {
      const { code, stderr } = await runCli([command, ...config]);
      expect([command, code, stderr.slice(0, shown.length)]).toEqual([command, 78, shown]);
    }
  });

  it('exits with 1 and names the port if the address of the endpoint is in use', async () => {
    await using sshd = await startSshd();
    await using first = await startMesh({ sshd, tunnels: { echo: { target: sshd.port } } });
    await first.waitFor(hasSessions(2));
    const config = join(sshd.directory, 'second-tunnels.yaml');
    // Otherwise the control socket or the state directory would be in use first.
    const other = readFileSync(first.configFile, 'utf8').replace('.sock', '.second');
    expect(other).toMatch(/state_dir/);
    writeFileSync(config, other.replace(/("?state_dir"?: *"?)([^",\n]+)/, '$1$2-second'));
    const { code, stderr } = await runCli(['run', '--config', config]);
    expect(code).toBe(1);
    const last = JSON.parse(stderr.trim().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ level: 'fatal', event: 'daemon.start_failed' });
    expect(last.msg).toContain(`127.0.0.1:${first.endpointPort}`);
    expect(last.msg).toMatch(/is taken|in use/);
    // The first daemon still works.
    await first.waitForTunnel('up');
  });

  it('runs although a listen address is in use, reports the conflict, and binds the address when it is free', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const squatter = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { taken: { target: echo.port, listen: squatter.port, production: true }, free: { target: echo.port } },
    });
    try {
      const taken = await mesh.waitForDown('listen_in_use', 'taken');
      expect(mesh.daemon.records()).toContainEqual(
        expect.objectContaining({ event: 'tunnel.state', tunnel: 'taken', to: 'down', code: 'listen_in_use' }),
      );
      expect(taken.reason).toContain(`127.0.0.1:${squatter.port}`);
      await mesh.waitForTunnel('up', 'free');
      await echoOnce(mesh.port('free'));
      const ready = await mesh.daemon.get('/readyz');
      expect(ready.status).toBe(503);
      expect(ready.body).toContain('taken');
      expect((await mesh.daemon.get('/livez')).status).toBe(200);
    } finally {
      await squatter.stop();
    }
    await mesh.waitForTunnel('up', 'taken', 10_000);
    await echoOnce(mesh.port('taken'));
    expect((await mesh.daemon.get('/readyz')).status).toBe(200);
  });
});
