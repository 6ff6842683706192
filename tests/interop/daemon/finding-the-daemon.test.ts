import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { startMesh } from '../../support/daemon/mesh.ts';
import { fleetYaml } from '../../support/fakes/fleet-config.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const BROKEN = ['tunnels: [', 'version: 1\n\tnode: x\n', '', '\u0000'];

/** A home without a runtime directory, or with one. */
function homeEnv(home: string, runtime: string | undefined) {
  return { HOME: home, XDG_RUNTIME_DIR: runtime, RUNTIME_DIRECTORY: undefined, STATE_DIRECTORY: undefined };
}

const records = (directory: string) => readdirSync(directory).filter((name) => /^daemon-\w+\.json$/.test(name));

describe.skipIf(!has('sshd'))('commands without a usable YAML', { concurrent: true }, () => {
  it.each([
    ['its runtime directory', true],
    ['its state directory', false],
  ])('find the daemon by the record in %s', async (_, hasRuntime) => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    using home = tempDir('home');
    const runtime = join(home.path, 'run');
    mkdirSync(runtime, { mode: 0o700 });
    const env = homeEnv(home.path, hasRuntime ? runtime : undefined);
    const directory = hasRuntime ? join(runtime, 'fleet-mesh') : join(home.path, '.local/state/fleet-mesh');
    await using mesh = await startMesh({ sshd, env, tunnels: { echo: { target: echo.port, production: true } } });
    await mesh.waitForTunnel('up', 'echo');
    await waitUntil('the record is there', () => records(directory).length === 1);
    const config = ['--config', mesh.configFile];
    for (const text of BROKEN) {
      mesh.writeRaw(text);
      expect(await runCli(['status', ...config], env)).toMatchObject({ code: 0, stderr: '' });
      expect(await runCli(['why', 'echo', ...config], env)).toMatchObject({ code: 0, stderr: '' });
      expect(await runCli(['wait', 'echo', ...config], env)).toMatchObject({ code: 0 });
      expect((await runCli(['events', ...config], env)).code).toBe(0);
      const reload = await runCli(['reload', ...config], env);
      expect(reload.code).toBe(78);
      expect(reload.stderr).toContain('the previous configuration is still active');
    }
    // Edited, but not yet reloaded: another program listens at the new address, or nobody.
    await mesh.write({ extra: { endpoint: { listen: `127.0.0.1:${echo.port}` } } });
    expect(await runCli(['status', ...config], env)).toMatchObject({ code: 0, stderr: '' });
    await mesh.write({
      extra: { endpoint: { listen: `127.0.0.1:${await freePort()}` }, control: { socket: 'new.sock' } },
    });
    expect(await runCli(['status', ...config], env)).toMatchObject({ code: 0, stderr: '' });
    expect((await runCli(['reload', ...config], env)).code).toBe(0);
    expect((await runCli(['status', ...config], env)).code).toBe(0);
    expect((await runCli(['reload', ...config], env)).code).toBe(0);
    await mesh.daemon.stop();
    expect(records(directory)).toEqual([]);
  });

  it('recognise the record of a killed daemon, and the next daemon removes the record', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    using home = tempDir('home');
    const env = homeEnv(home.path, undefined);
    const directory = join(home.path, '.local/state/fleet-mesh');
    const mesh = await startMesh({ sshd, env, tunnels: { echo: { target: echo.port } } });
    await mesh.waitForTunnel('up', 'echo');
    await waitUntil('the record is there', () => records(directory).length === 1);
    mesh.daemon.signal('SIGKILL');
    await mesh.daemon.exit;
    const [left = ''] = records(directory);
    mesh.writeRaw('tunnels: [');
    // Another daemon may listen there.
    expect((await runCli(['status', '--config', mesh.configFile], env)).stderr).toContain('trying 127.0.0.1:9780');
    expect((await runCli(['reload', '--config', mesh.configFile], env)).stderr).toContain('--socket');
    await using other = await startMesh({ sshd, env, tunnels: { echo: { target: echo.port } } });
    await other.waitForTunnel('up', 'echo');
    await waitUntil(
      'the old record is gone',
      () => !readFileSync(join(directory, left), 'utf8').includes(`"${mesh.daemon.pid} `),
    );
  });
});

describe.skipIf(!has('sshd'))('a daemon without a runtime directory', { concurrent: true }, () => {
  it('opens its control socket in the state directory, where commands find the socket', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    using home = tempDir('home');
    const env = homeEnv(home.path, undefined);
    const endpointPort = await freePort();
    const configFile = join(home.path, 'tunnels.yaml');
    const host = { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile };
    const tunnels = { echo: { listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}` } };
    writeFileSync(configFile, fleetYaml({ endpointPort, host, actor: { key: sshd.clientKeyFile }, tunnels }));
    await using daemon = startDaemon({ configFile, endpointPort, env });
    const { advisories } = await daemon.waitFor((status) => status.tunnels[0]?.state === 'up');
    expect(advisories).toEqual([]);
    expect(statSync(join(home.path, '.local/state/fleet-mesh/control.sock')).isSocket()).toBe(true);
    expect(await runCli(['reload', '--config', configFile], env)).toMatchObject({ code: 0 });
    // A shell that has a runtime directory finds the socket as well.
    const login = homeEnv(home.path, join(home.path, 'run'));
    expect(await runCli(['reload', '--config', configFile], login)).toMatchObject({ code: 0 });
    expect(daemon.records().filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  it('logs an unusable socket directory without a stack', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    for (const socket of ['/proc/nowhere/control.sock', '/proc/control.sock', '/dev/null/control.sock']) {
      await using mesh = await startMesh({
        sshd,
        tunnels: { echo: { target: echo.port } },
        extra: { control: { socket } },
      });
      await mesh.waitForTunnel('up', 'echo');
      const [warning] = mesh.daemon.records().filter(({ event }) => event === 'control.unavailable');
      expect(warning).toMatchObject({ level: 'warn', err: { hint: expect.stringMatching(/\w/) } });
      expect(mesh.daemon.log()).not.toContain('stack');
    }
  });
});
