import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openChatter } from '../../support/clients/chatter.ts';
import { startRequestLoop } from '../../support/clients/request-loop.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { dial, say } from '../../support/daemon/control-socket.ts';
import { runCli, spawnCli } from '../../support/daemon/daemon.ts';
import { hasSessions, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { controlSocketIn } from '../../support/fakes/fleet-config.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe.skipIf(!has('sshd'))('the commands of an operator', { concurrent: true }, () => {
  it('waits for the outcome of a reload, and fails with every error and its position', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const config = ['--config', mesh.configFile];
    const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
    expect([mode(socket), mode(dirname(socket))]).toEqual(['660', '750']);

    expect(await runCli(['reload', ...config])).toMatchObject({
      code: 0,
      stdout: 'reloaded: nothing changed\n',
      stderr: '',
    });
    await mesh.write({ tunnels: { echo: { target: echo.port, note: 'new' } } });
    const changed = await runCli(['reload', '--json', ...config]);
    expect(changed.code).toBe(0);
    expect(JSON.parse(changed.stdout)).toEqual({
      ok: true,
      result: { changes: '1 tunnel changed (label)', tunnels: [], blocked: [] },
    });
    expect(tunnelOf(await mesh.daemon.status(), 'echo').note).toBe('new');

    const good = readFileSync(mesh.configFile, 'utf8');
    mesh.writeRaw(good.replace('tunnels:', 'tunels:').replace('role: draining', 'role: drained'));
    const broken = await runCli(['reload', ...config]);
    expect(broken.code).toBe(78);
    expect(broken.stderr).toMatch(/tunnels\.yaml:\d+:\d+: .*role.*drained/);
    expect(broken.stderr).toMatch(/tunnels\.yaml:\d+:\d+: .*tunels.*did you mean "tunnels"/);
    expect(broken.stderr).toContain('the previous configuration is still active');
    const json = JSON.parse((await runCli(['reload', '--json', ...config])).stdout);
    expect(json).toMatchObject({ ok: false, error: { code: 'config_invalid', details: { length: 2 } } });

    // Not even the socket can be found in it then: the running daemon has left its path.
    mesh.writeRaw('tunnels: [');
    const unreadable = await runCli(['reload', ...config]);
    expect(unreadable.code).toBe(78);
    expect(unreadable.stderr).toMatch(/tunnels\.yaml:\d+:\d+: .*still active/s);
    expect((await runCli(['reload', ...config, '--socket', socket])).code).toBe(78);
    expect((await mesh.daemon.status()).tunnels).toHaveLength(1);
  });

  it('keeps a tunnel down across reloads, until `up`', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const probe = { tcp: {}, every: '500ms', rise: 1, fall: 1 };
    const tunnels = { one: { target: echo.port, production: true, probe }, two: { target: echo.port } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up', 'one');
    const config = ['--config', mesh.configFile];
    const load = startRequestLoop(mesh.port('two'), 10);
    await using chatter = await openChatter(mesh.port('one'));

    const down = await runCli(['down', 'one', ...config]);
    expect(down).toMatchObject({ code: 0, stderr: '' });
    expect(down.stdout).toMatch(/^one: stopped: .*fleet-mesh up/);
    expect(down.stdout).toContain('until `fleet-mesh up one` or a restart of the daemon');
    await expect(echoOnce(mesh.port('one'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(chatter.say('cut after the grace')).rejects.toThrow();
    expect(tunnelOf(await mesh.daemon.status(), 'one')).toMatchObject({
      state: 'stopped',
      probe: null,
      usage: { open: 0 },
    });
    expect((await mesh.daemon.get('/readyz?production=true')).status).toBe(200);

    await mesh.write({ tunnels: { ...tunnels, one: { ...tunnels.one, listen: await freePort() } } });
    await mesh.reload();
    await expect(echoOnce(mesh.port('one'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const why = await runCli(['why', 'one', ...config]);
    expect(why.code).toBe(1);
    expect(why.stdout).toMatch(
      /one \(production\) is stopped since .*\n {2}why:.*fleet-mesh down.*\n {2}fix:.*fleet-mesh up one/,
    );
    expect((await runCli(['wait', 'one', ...config])).code).toBe(1);
    expect((await runCli(['wait', 'two', ...config])).code).toBe(0);

    const up = await runCli(['up', 'one', '--json', ...config]);
    expect(up.code).toBe(0);
    expect(JSON.parse(up.stdout).result.tunnels[0]).toMatchObject({ name: 'one' });
    expect((await runCli(['wait', 'one', '--timeout', '10s', ...config])).code).toBe(0);
    await echoOnce(mesh.port('one'));
    expect((await load.stop()).failures).toEqual([]);
  });

  it('closes the link after `down` of its last tunnel, and `up` serves a waiting client over a new link', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const config = ['--config', mesh.configFile];
    expect((await runCli(['down', 'echo', ...config])).code).toBe(0);
    await mesh.waitFor(({ links }) => links.length === 0);
    await waitUntil('sshd has no session left', () => sshd.sessionPids().length === 0);
    expect((await runCli(['up', 'echo', ...config])).code).toBe(0);
    await echoOnce(mesh.port('echo'));
  });

  it('undoes with `up` a `down` that waits for connections, without cutting any', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } }, extra: { stop_grace: '1m' } });
    await mesh.waitFor(hasSessions(2));
    const config = ['--config', mesh.configFile];
    await using chatter = await openChatter(mesh.port('echo'));
    await using down = spawnCli(['down', 'echo', ...config]);
    await mesh.waitForTunnel('stopped', 'echo');
    await chatter.say('still there');
    expect((await runCli(['up', 'echo', ...config])).code).toBe(0);
    expect(await within('down has ended', down.exit)).toMatchObject({ code: 0 });
    await chatter.say('and after it');
    await echoOnce(mesh.port('echo'));
  });

  it('ends with 4 and the nearest name for unknown names, and changes nothing', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up', 'echo');
    const config = ['--config', mesh.configFile];
    const down = await runCli(['down', 'echo', 'ecko', ...config]);
    expect(down).toMatchObject({ code: 4, stdout: '' });
    expect(down.stderr).toContain('Did you mean echo?');
    expect(tunnelOf(await mesh.daemon.status(), 'echo').state).toBe('up');
    for (const command of [
      ['why', 'ecko'],
      ['wait', 'ecko'],
      ['doctor', 'ecko'],
    ]) {
      const result = await runCli([...command, ...config]);
      expect([command, result.code]).toEqual([command, 4]);
      expect(result.stderr).toContain('Did you mean echo?');
    }
    const rotate = await runCli(['rotate', 'atm-fleet-mech', ...config]);
    expect(rotate.code).toBe(4);
    expect(rotate.stderr).toContain('atm-fleet-mesh');
    expect((await runCli(['down', ...config])).code).toBe(64);
    expect((await runCli(['wait', '--for', 'ready', ...config])).code).toBe(64);
    expect((await runCli(['wait', '--timeout', '1 minute', ...config])).code).toBe(64);
  });

  it('ends `wait` with 3 and the reason at its time limit, with 2 without a daemon, and with 0 once the tunnel is up', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
    await mesh.waitForTunnel('up', 'echo');
    const config = ['--config', mesh.configFile];
    await sshd.stop();
    await mesh.waitForTunnel('down', 'echo');
    const late = await runCli(['wait', '--timeout', '2s', ...config]);
    expect(late.code).toBe(3);
    expect(late.stderr).toContain('not within 2s: echo is down: no SSH session to coulombcore');
    const why = await runCli(['why', 'echo', ...config]);
    expect(why.code).toBe(1);
    expect(why.stdout).toMatch(/why: +no SSH session to coulombcore.*\[\w+\]\n {2}fix: .*\n {2}next: /);
    expect(JSON.parse((await runCli(['why', 'echo', '--json', ...config])).stdout)).toMatchObject({
      name: 'echo',
      state: 'down',
    });

    await using waiting = spawnCli(['wait', 'echo', '--timeout', '30s', '--json', ...config]);
    await waitUntil('it waits', () => waiting.stderr().includes('waiting: '), 20_000, waiting.stderr);
    await sshd.restart();
    expect(await waiting.exit).toMatchObject({ code: 0 });
    expect(JSON.parse(waiting.stdout())).toMatchObject({ ok: true, for: 'up', reasons: [] });
    expect((await runCli(['wait', 'echo', '--for', 'retirable', ...config])).code).toBe(2);
    const nobody = await runCli(['wait', '--timeout', '300ms', '--endpoint', `127.0.0.1:${await freePort()}`]);
    expect(nobody.code).toBe(2);
  });

  it('serves commands and tunnels and stops, although control clients hang or send garbage', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up', 'echo');
    const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
    const hung = Array.from({ length: 8 }, () => dial(socket));
    expect(await say(socket, Buffer.alloc(200_000, 'x'))).toContain('too_large');
    expect((await runCli(['reload', '--config', mesh.configFile])).code).toBe(0);
    await echoOnce(mesh.port('echo'));
    expect(await mesh.daemon.stop()).toMatchObject({ code: 0 });
    expect(existsSync(socket)).toBe(false);
    for (const client of hung) client.destroy();
    const gone = await runCli(['up', 'echo', '--config', mesh.configFile]);
    expect(gone.code).toBe(2);
    expect(gone.stderr).toContain('no control socket');
  });

  it('ends a second daemon on the same socket with 1, and continues without a control socket if its path is unusable', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up', 'echo');
    const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
    await using other = await startSshd();
    await using second = await startMesh({
      sshd: other,
      tunnels: { echo: { target: echo.port } },
      extra: { control: { socket } },
    });
    expect(await within('the second one ends', second.daemon.exit, 10_000)).toMatchObject({ code: 1 });
    expect(second.daemon.log()).toContain(
      `the control socket cannot listen on unix:${socket}: another program listens there`,
    );
    expect((await runCli(['reload', '--config', mesh.configFile])).code).toBe(0);

    await using third = await startMesh({
      sshd: other,
      tunnels: { echo: { target: echo.port } },
      extra: { control: { socket: '/proc/nowhere/control.sock' } },
    });
    const { advisories } = await third.waitFor(({ tunnels }) => tunnels[0]?.state === 'up');
    expect(advisories).toMatchObject([
      { code: 'control_unavailable', message: expect.stringContaining('/proc/nowhere') },
    ]);
    expect(third.daemon.records().filter(({ event }) => event === 'control.unavailable')).toHaveLength(1);
  });
});
