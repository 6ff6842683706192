import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateKey } from '../../support/certificates/keys.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { type MeshTunnel, startMesh } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';

describe.skipIf(!has('sshd'))('commands that tell the outcome', { concurrent: true }, () => {
  it('ends `wait` with 3 if there is nothing to wait for', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const tunnels = { one: { target: echo.port, production: true }, two: { target: echo.port } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitForTunnel('up', 'one');
    const config = ['--config', mesh.configFile];
    expect((await runCli(['wait', ...config])).code).toBe(0);
    // The daemon answered: nobody needs to look for it.
    expect(await runCli(['wait', 'one', '--for', 'retirable', ...config])).toMatchObject({
      code: 2,
      stderr: 'fleet-mesh: one has no verdict: its drain section is missing, or the tunnel is being removed\n',
    });
    await runCli(['down', 'one', ...config]);
    const stopped = await runCli(['wait', ...config]);
    expect(stopped.code).toBe(3);
    expect(stopped.stderr).toMatch(/^fleet-mesh: there is nothing to wait for: no production tunnel in service/);
    await mesh.write({ tunnels: { two: { target: echo.port } } });
    await mesh.reload();
    const none = await runCli(['wait', '--json', ...config]);
    expect(none.code).toBe(3);
    expect(JSON.parse(none.stdout)).toMatchObject({
      ok: false,
      reasons: [expect.stringContaining('nothing to wait for: no production tunnel;')],
    });
    expect((await runCli(['wait', 'two', ...config])).code).toBe(0);
    await mesh.write({ tunnels: {} });
    await mesh.reload();
    const empty = await runCli(['wait', ...config]);
    expect(empty).toMatchObject({ code: 3, stderr: expect.stringContaining('no tunnel is configured') });
  });

  it('waits in `up` until the tunnel is up, or reports why it is not', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const probe = { tcp: {}, every: '500ms', rise: 2 };
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, probe } } });
    await mesh.waitForTunnel('up', 'echo');
    const config = ['--config', mesh.configFile];
    await runCli(['down', 'echo', ...config]);
    expect(await runCli(['up', 'echo', ...config])).toMatchObject({ code: 0, stdout: 'echo: up\n' });
    await runCli(['down', 'echo', ...config]);
    await sshd.stop();
    const failed = await runCli(['up', 'echo', ...config]);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/^echo: down: no SSH session to coulombcore: .*refused/);
    await runCli(['down', 'echo', ...config]);
    await mesh.write({ actor: { key: '/nowhere/key' } });
    await mesh.reload();
    const since = performance.now();
    const unreadable = await runCli(['up', 'echo', ...config]);
    expect(unreadable).toMatchObject({ code: 1, stdout: expect.stringContaining('/nowhere/key') });
    // No wait can help here.
    expect(performance.now() - since).toBeLessThan(9_000);
  });

  it('waits in `reload` for tunnels that are new or moved, and reports those that do not work', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const stranger = generateKey(join(sshd.directory, 'stranger')).path;
    const probe = { tcp: {}, every: '500ms', rise: 2 };
    const one = { target: echo.port };
    await using mesh = await startMesh({ sshd, tunnels: { one }, actors: { 'agt-stranger': { key: stranger } } });
    await mesh.waitForTunnel('up', 'one');
    const reload = async (two: MeshTunnel) => {
      await mesh.write({ tunnels: { one, two: { target: echo.port, probe, ...two } } });
      const { code, stdout } = await runCli(['reload', '--config', mesh.configFile]);
      const [first, ...tunnels] = stdout.trimEnd().split('\n');
      expect(first).toMatch(/^reloaded: 1 tunnel /);
      return { code, tunnels };
    };
    const rejected = await reload({ actor: 'agt-stranger' });
    expect(rejected).toEqual({ code: 1, tunnels: [expect.stringMatching(/^two: down: .* rejected /)] });
    expect(await reload({})).toEqual({ code: 0, tunnels: ['two: up'] });
    // The target may come up later.
    const away = await reload({ target: await freePort() });
    expect(away).toEqual({ code: 0, tunnels: [expect.stringMatching(/^two: (?!up).*refused/)] });
    const taken = await reload({ listen: echo.port });
    expect(taken).toEqual({ code: 1, tunnels: [expect.stringMatching(/^two: down: .*in use/)] });

    await mesh.write({ tunnels: { one, two: { target: echo.port, actor: 'agt-stranger' } }, actor: { key: stranger } });
    const both = await runCli(['reload', '--config', mesh.configFile]);
    expect(both.code).toBe(1);
    expect(both.stderr).toMatch(/^two: down: .*\n.*the login of atm-fleet-mesh to coulombcore fails: /);
  });
});
