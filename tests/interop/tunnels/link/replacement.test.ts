import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { generateKey } from '../../../support/certificates/keys.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { startCertifiedLab } from '../../../support/daemon/certified-mesh.ts';
import { runCli } from '../../../support/daemon/daemon.ts';
import {
  hasSessions,
  knownBehind,
  linkOf,
  type Mesh,
  type MeshChange,
  sessionIds,
  startMesh,
  tunnelOf,
} from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const isFailing = (status: Status) => linkOf(status).replacement?.state === 'failing';

/** The truth about a link whose tunnels are up although its next login cannot work. */
async function expectTruth(mesh: Mesh, code: string): Promise<void> {
  const status = await mesh.waitFor(isFailing);
  const link = linkOf(status);
  expect(link).toMatchObject({ state: 'up', replacement: { state: 'failing', last_error: { code } } });
  expect(link.replacement?.attempts).toBeGreaterThan(0);
  expect(link.replacement?.since.getTime()).toBeLessThanOrEqual(Date.now());
  expect(tunnelOf(status, 'echo').state).toBe('up');
  expect(status.state).toBe('degraded');
  expect(status.reason).toContain(`[${code}]`);
  const [advisory] = status.advisories.filter((each) => each.code === 'session_replacement_failing');
  expect(advisory?.message).toMatch(
    new RegExp(`cannot be replaced since 20\\d\\d-.*Z \\(\\d+ attempts? failed\\): .*\\[${code}\\]\\. Fix: .`),
  );
  expect(await mesh.metric('advisories', { code: 'session_replacement_failing' })).toBe(1);
  expect(await mesh.metric('link_replacement_failing')).toBe(1);
  expect(await mesh.metric('link_sessions_wanted')).toBe(2);

  const config = ['--config', mesh.configFile];
  const shown = (await runCli(['status', ...config])).stdout;
  expect(shown).toMatch(new RegExp(`^\\S+ is DEGRADED: SSH sessions of .* cannot be replaced .*\\[${code}\\]`));
  expect(shown).toMatch(/ {2}why: {2}SSH sessions of .*\n {2}fix: {2}.*\n {2}next: /);
  const why = (await runCli(['why', 'echo', ...config])).stdout;
  expect(why).toMatch(/why: {8}the tunnel is up, but SSH sessions of .* cannot be replaced .*\n {2}fix: /);
  const json = JSON.parse((await runCli(['why', 'echo', '--json', ...config])).stdout);
  expect(json).toMatchObject({ state: 'up', error: { code }, fix: expect.any(String) });
  const raised = mesh.daemon
    .records()
    .filter(({ event, code: of }) => event === 'advisory.raised' && of === advisory?.code);
  expect(raised.map(({ level }) => level)).toEqual(['warn']);
}

/** Everything is right again. */
async function expectHealed(mesh: Mesh): Promise<void> {
  const status = await mesh.waitFor(
    (each) => hasSessions(2)(each) && linkOf(each).replacement === null && each.state === 'up',
  );
  expect(status.reason).toBeNull();
  expect(status.advisories.filter(({ code }) => code === 'session_replacement_failing')).toEqual([]);
  expect(await mesh.metric('link_replacement_failing')).toBe(0);
}

const WRONG: [
  what: string,
  code: string,
  change: (sshd: Sshd) => Partial<MeshChange> | Promise<Partial<MeshChange>>,
][] = [
  [
    'a wrong key',
    'auth_rejected',
    ({ directory }) => ({ actor: { key: generateKey(join(directory, 'stranger')).path } }),
  ],
  ['a missing key', 'key_unreadable', ({ directory }) => ({ actor: { key: join(directory, 'nowhere') } })],
  ['a wrong user', 'auth_rejected', () => ({ host: { user: 'nobody-of-that-name' } })],
  [
    'a wrong host key',
    'host_key_changed',
    ({ directory, port }) => {
      const path = join(directory, 'other_known_hosts');
      writeFileSync(path, `[127.0.0.1]:${port} ${generateKey(join(directory, 'other_host')).publicKey}\n`);
      return { host: { known_hosts: path } };
    },
  ],
  [
    'a wrong port',
    'connect_refused',
    async (sshd) => {
      const port = await freePort();
      return { host: { port, known_hosts: knownBehind(sshd, port) } };
    },
  ],
];

describe.skipIf(!has('sshd') || !has('ssh-keygen'))(
  'a link that cannot replace its sessions',
  { concurrent: true },
  () => {
    it('says at a reload that the rejection is remembered, and when the next login comes', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
      await mesh.waitFor(hasSessions(2));
      const known = readFileSync(sshd.authorizedKeysFile);
      writeFileSync(sshd.authorizedKeysFile, '');
      sshd.killSessions();
      await mesh.waitFor((status) => linkOf(status).state === 'blocked');
      writeFileSync(sshd.authorizedKeysFile, known);
      await mesh.write({ host: { keepalive: { every: '4s', lost_after: 3 } } });
      const { code, stderr } = await runCli(['reload', '--config', mesh.configFile]);
      expect(stderr).toMatch(/rejected the login .* less than a minute ago; the next login is in [1-9]\d? s, because/);
      expect(code).toBe(1);
    });

    it.each(WRONG)('tells the truth after a reload with %s, and `reload` fails', async (_, code, change) => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
      await mesh.waitFor(hasSessions(2));
      const good = { actor: {}, host: {} };
      await mesh.write(await change(sshd));
      const startedAt = performance.now();
      const reload = await runCli(['reload', '--config', mesh.configFile]);
      expect(performance.now() - startedAt).toBeLessThan(patient(10_000));
      expect(reload).toMatchObject({ code: 1, stdout: '' });
      expect(reload.stderr).toMatch(
        /reloaded \(link .* changed .*\), but the login of atm-fleet-mesh to coulombcore fails: /,
      );
      await expectTruth(mesh, code);
      await echoOnce(mesh.port('echo'));

      await mesh.write(good);
      expect(await runCli(['reload', '--config', mesh.configFile])).toMatchObject({ code: 0, stderr: '' });
      await expectHealed(mesh);
      // Errors of settings that are no longer configured.
      const status = await mesh.daemon.status();
      expect([linkOf(status).last_error, tunnelOf(status, 'echo').last_error]).toEqual([null, null]);
    });

    it('tells the truth when the key is no longer accepted after one of two sessions is lost, and heals', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
      await mesh.waitFor(hasSessions(2));
      const keys = readFileSync(sshd.authorizedKeysFile, 'utf8');
      writeFileSync(sshd.authorizedKeysFile, '');
      sshd.killSession();
      await expectTruth(mesh, 'auth_rejected');
      await echoOnce(mesh.port('echo'));
      const rotate = await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile]);
      expect(rotate).toMatchObject({ code: 1, stderr: expect.stringContaining('not yet in use at coulombcore') });

      const next = generateKey(join(sshd.directory, 'next'));
      writeFileSync(sshd.authorizedKeysFile, `${keys}${next.publicKey}\n`);
      await mesh.write({ actor: { key: next.path } });
      expect(await runCli(['reload', '--config', mesh.configFile])).toMatchObject({ code: 0 });
      await expectHealed(mesh);
    });

    it('tells the truth soon after known_hosts has another key of the host, `reload` fails, and the link heals', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
      const before = sessionIds(await mesh.waitFor(hasSessions(2)));
      const other = generateKey(join(sshd.directory, 'other_host')).publicKey;
      writeFileSync(sshd.knownHostsFile, `[127.0.0.1]:${sshd.port} ${other}\n`);
      await expectTruth(mesh, 'host_key_changed');
      const { code, stderr } = await runCli(['reload', '--config', mesh.configFile]);
      expect(stderr).toMatch(
        /reloaded \(nothing changed\), but the login of atm-fleet-mesh to coulombcore fails: .* presented /,
      );
      expect(code).toBe(1);
      await echoOnce(mesh.port('echo'));
      expect(sessionIds(await mesh.daemon.status())).toEqual(before);
      sshd.trustHostKeys();
      await expectHealed(mesh);
    });

    it('tells the truth while the port is closed and one of two sessions is lost', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using proxy = await FaultProxy.start(sshd.port);
      const host = { port: proxy.port, known_hosts: knownBehind(sshd, proxy.port) };
      await using mesh = await startMesh({ sshd, host, tunnels: { echo: { target: echo.port, production: true } } });
      await mesh.waitFor(hasSessions(2));
      await proxy.refuse(true);
      proxy.connections()[1]?.reset();
      await expectTruth(mesh, 'connect_refused');
      await proxy.refuse(false);
      await expectHealed(mesh);
    });

    it('keeps the standby a standby when the server rejects the renewed certificate, and `rotate` fails', async () => {
      await using lab = await startCertifiedLab();
      await using echo = await startEcho();
      await using mesh = await lab.mesh({ tunnels: { echo: { target: echo.port, production: true } } });
      await mesh.waitFor(hasSessions(2));
      lab.signing.set({ options: ['source-address=192.0.2.1/32'] });
      const rotate = await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile]);
      expect(rotate).toMatchObject({ code: 1, stderr: expect.stringContaining('not yet in use at coulombcore') });
      await expectTruth(mesh, 'auth_rejected');
      const { sessions } = linkOf(await mesh.daemon.status());
      expect(sessions.map(({ id, role }) => `${id} ${role}`)).toEqual(['1 active', '2 standby']);
      expect(await mesh.metric('link_sessions', { role: 'standby' })).toBe(1);
      expect(await mesh.metric('link_sessions', { role: 'draining' })).toBe(0);
      lab.signing.set({});
      expect(await runCli(['rotate', 'atm-fleet-mesh', '--config', mesh.configFile])).toMatchObject({ code: 0 });
      await expectHealed(mesh);
    });

    it('tells the truth when a key file is replaced by one that the server does not know', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      const path = join(sshd.directory, 'changing');
      copyFileSync(sshd.clientKeyFile, path);
      await using mesh = await startMesh({
        sshd,
        actor: { key: path },
        tunnels: { echo: { target: echo.port, production: true } },
      });
      await mesh.waitFor(hasSessions(2));
      renameSync(generateKey(join(sshd.directory, 'stranger')).path, path);
      await expectTruth(mesh, 'auth_rejected');
    });

    it('tells the truth when a key file disappears, and heals when the file is back', async () => {
      await using sshd = await startSshd();
      await using echo = await startEcho();
      await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
      await mesh.waitFor(hasSessions(2));
      renameSync(sshd.clientKeyFile, `${sshd.clientKeyFile}.away`);
      await expectTruth(mesh, 'key_unreadable');
      renameSync(`${sshd.clientKeyFile}.away`, sshd.clientKeyFile);
      await expectHealed(mesh);
    });
  },
);

describe.skipIf(!has('sshd'))('a production tunnel that an operator took down', () => {
  it('is named in the headline and in an advisory, and leaves the node up', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const tunnels = { one: { target: echo.port, production: true }, two: { target: echo.port, production: true } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(({ state }) => state === 'up');
    const config = ['--config', mesh.configFile];
    expect((await runCli(['down', 'one', ...config])).code).toBe(0);
    const { state, advisories } = await mesh.daemon.status();
    expect(state).toBe('up');
    expect(advisories).toMatchObject([
      {
        code: 'production_stopped',
        message: expect.stringMatching(/^production tunnel one is out of service by an operator since 20.*Z/),
      },
    ]);
    expect((await runCli(['status', ...config])).stdout).toMatch(
      /^\S+ is UP: 1 out of service by an operator: one since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n/,
    );
    expect(await mesh.metric('advisories', { code: 'production_stopped' })).toBe(1);
    expect((await runCli(['down', 'two', ...config])).code).toBe(0);
    expect((await mesh.daemon.status()).reason).toMatch(/^2 out of service by an operator: one since .*, two since /);
    expect((await runCli(['up', 'one', 'two', ...config])).code).toBe(0);
    expect(await mesh.waitFor(({ reason }) => reason === null)).toMatchObject({ state: 'up', advisories: [] });
  });
});
