import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type VerdictAnswer, verdictAnswer } from '../../../src/retirement/drain/answer.ts';
import { curl } from '../../support/clients/curl.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { type Daemon, runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { findTunnel, knownBehind, type Mesh, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { planYaml, recorded, wave } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { startBlackHole } from '../../support/peers/black-hole.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const GATE = { id: 'go', title: 'Cut-over approval', owner: 'operator', blocks: ['1.2'] };
const PLAN = Buffer.from(planYaml({ gates: [GATE], waves: [wave(1, [], 2)] }));
/** The shortest possible times: the tests wait for them. */
const SHORT = { quiet_for: '2s', rollback: 'start the old unit' };

describe.skipIf(!has('sshd'))('the verdict on a running tunnel', () => {
  let sshd: Sshd;
  let echo: LoopbackServer;
  beforeAll(async () => {
    [sshd, echo] = await Promise.all([startSshd(), startEcho()]);
  });
  afterAll(async () => {
    await echo.stop();
    await sshd[Symbol.asyncDispose]();
  });

  const verdictOf = async ({ get }: Pick<Daemon, 'get'>, name = 'hub'): Promise<VerdictAnswer> =>
    verdictAnswer.parse(JSON.parse((await get(`/drain/${name}`)).body));
  const codesOf = ({ blockers, unknowns }: VerdictAnswer) => [...blockers, ...unknowns].map(({ code }) => code);
  const reaches = (daemon: Pick<Daemon, 'get'>, what: string, test: (answer: VerdictAnswer) => boolean) =>
    waitUntil(
      `the verdict: ${what}`,
      async () => {
        const answer = await verdictOf(daemon).catch(() => undefined);
        return answer && test(answer) ? answer : undefined;
      },
      20_000,
    );
  const lacks = (daemon: Pick<Daemon, 'get'>, ...codes: string[]) =>
    reaches(daemon, `without ${codes.join()}`, (answer) => !codesOf(answer).some((code) => codes.includes(code)));
  const planFile = (text: Buffer, name: string) => {
    writeFileSync(join(sshd.directory, name), text);
    return name;
  };

  test('blocks with still_open while a client waits for its channel or is silent in the SOCKS handshake', async () => {
    await using hole = await startBlackHole();
    const plan = planFile(PLAN, 'waiting-plan.yaml');
    const drain = { step: '1.1', ...SHORT };
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        hanging: { target: hole.port, drain },
        socks: { direction: 'dynamic', allow: ['10.0.0.1:80'], drain },
      },
      extra: { plan },
    });
    for (const name of ['hanging', 'socks']) {
      await mesh.waitForTunnel('up', name);
      const client = connect(mesh.port(name), '127.0.0.1').on('error', () => {});
      const blocked = await waitUntil('the client blocks', async () => {
        const { blockers } = await verdictOf(mesh.daemon, name);
        return blockers.find(({ code }) => code === 'still_open');
      });
      // The client's program may be named already.
      expect(blocked.message).toMatch(/^0 connections open, 1 client waiting( \(|$)/);
      expect(tunnelOf(await mesh.daemon.status(), name).usage).toMatchObject({ open: 0, held: 1 });
      client.destroy();
      await waitUntil(
        'the client is gone',
        async () => !codesOf(await verdictOf(mesh.daemon, name)).includes('still_open'),
      );
      // The wait was use up to its end.
      expect(codesOf(await verdictOf(mesh.daemon, name))).toContain('recent_use');
    }
  });

  test('clears blocker by blocker, and then answers the curl that waits for it', async () => {
    const [listen, successorPort] = [await freePort(), await freePort()];
    const successor = {
      target: `127.0.0.1:${successorPort}`,
      probe: { tcp: {}, every: '500ms', timeout: '300ms' },
      healthy_for: '1s',
      hold: '1s',
      verify_for: '1s',
    };
    const drain = { step: '1.2', quiet_for: SHORT.quiet_for, successor };
    const hub = { target: sshd.port, listen, drain };
    const behind = { address: '127.0.0.1', port: listen, user: sshd.user, known_hosts: knownBehind(sshd, listen) };
    const plan = planFile(PLAN, 'drain-plan.yaml');
    const plain = { target: echo.port };
    await using mesh = await startMesh({
      sshd,
      host: { sessions: 1 },
      hosts: { behind: { ...behind, sessions: 1 } },
      tunnels: { hub, plain, inner: { host: 'behind', target: echo.port } },
      extra: { plan },
    });
    await mesh.waitForTunnel('up', 'inner');
    const connection = connect(listen, '127.0.0.1');
    const first = await reaches(mesh.daemon, 'the successor was probed', (answer) =>
      codesOf(answer).includes('successor_unhealthy'),
    );
    expect(first.verdict).toBe('blocked');
    expect(first.blockers.map(({ code }) => code)).toEqual([
      'wave_open',
      'gate_closed',
      'successor_unhealthy',
      'still_open',
      'recent_use',
      'dependent_tunnel',
      'not_cut_over',
      'no_rollback',
    ]);
    expect(first.blockers[2]?.message).toContain('refused the connection');
    expect(await verdictOf(mesh.daemon, 'plain')).toMatchObject({ verdict: null, retired_at: null });
    const { retirement } = tunnelOf(await mesh.daemon.status(), 'hub');
    expect(retirement).toMatchObject({
      verdict: 'blocked',
      blockers: first.blockers.map(({ code }) => code),
      waiting_helps: false,
    });
    expect(await mesh.metric('tunnel_retirable', { tunnel: 'hub' })).toBe(0);
    expect(await mesh.metric('tunnel_retirement_finding', { tunnel: 'hub', code: 'gate_closed' })).toBe(1);

    const waits = await runCli(['wait', 'hub', '--for', 'retirable', '--timeout', '20s', '--config', mesh.configFile]);
    expect(waits).toMatchObject({ code: 1, stderr: expect.stringContaining('some reasons do not clear by waiting') });
    const why = await runCli(['why', 'hub', '--config', mesh.configFile]);
    expect(why.stdout).toMatch(/drain: +blocked: wave_open, gate_closed/);
    expect(why.stdout).toContain('gate_closed: an approval is missing: go (Cut-over approval; operator)');
    expect((await runCli(['status', '--config', mesh.configFile])).stdout).toMatch(/DRAIN/);

    const gate = `http://127.0.0.1:${mesh.endpointPort}/drain/hub?require=retirable`;
    const shut = await curl('--fail', '--include', gate);
    expect(shut).toMatchObject({ code: 22, err: expect.stringContaining('503') });
    expect((await curl('--include', gate)).out).toMatch(/retry-after: 10\r\n/i);
    const opening = curl('--fail', '--retry', '3', `${gate}&wait=20s`);

    planFile(recorded(PLAN, 'go', '1.1'), 'drain-plan.yaml');
    await lacks(mesh.daemon, 'wave_open', 'gate_closed');
    await mesh.write({ tunnels: { hub: { ...hub, drain: { ...drain, rollback: SHORT.rollback } }, plain } });
    await mesh.reload();
    await lacks(mesh.daemon, 'dependent_tunnel', 'no_rollback');
    await using _successor = { [Symbol.asyncDispose]: (await startEcho(successorPort)).stop };
    await lacks(mesh.daemon, 'successor_unhealthy');
    expect(codesOf(await verdictOf(mesh.daemon))).toContain('still_open');
    connection.destroy();
    await lacks(mesh.daemon, 'still_open');
    expect(codesOf(await verdictOf(mesh.daemon))).toContain('not_cut_over');
    // Its port is still its own: a retirement would close it.
    const early = await runCli(['retire', 'hub', '--config', mesh.configFile]);
    expect(early).toMatchObject({ code: 1, stderr: expect.stringContaining('fleet-mesh cutover hub') });
    expect(await runCli(['cutover', 'hub', '--config', mesh.configFile])).toMatchObject({ code: 0 });
    const open = await opening;
    expect(open.err).toBe('');
    expect(verdictAnswer.parse(JSON.parse(open.out))).toMatchObject({
      tunnel: 'hub',
      verdict: 'retirable',
      blockers: [],
      unknowns: [],
    });
    expect(await mesh.metric('tunnel_retirable', { tunnel: 'hub' })).toBe(1);
    expect(await runCli(['wait', 'hub', '--for', 'retirable', '--config', mesh.configFile])).toMatchObject({ code: 0 });
    const retired = await runCli(['retire', 'hub', '--wait', '20s', '--config', mesh.configFile]);
    expect(retired).toMatchObject({ code: 0, stdout: expect.stringContaining('stays with the successor') });
    const gone = await mesh.waitForTunnel('retired');
    expect(gone).toMatchObject({
      route: 'successor',
      reason: expect.stringContaining('the successor serves the local port'),
    });
    await echoOnce(listen);
    await mesh.daemon.stop();

    await using again = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    await again.waitFor((status) => findTunnel(status, 'hub')?.state === 'retired' && status.state === 'up');
    await echoOnce(listen);
    expect(tunnelOf(await again.status(), 'hub').usage.opened_total).toBe(0);
    // Its exit code tells whether the tunnel is up within ten seconds: a busy machine needs more.
    expect(await runCli(['up', 'hub', '--config', mesh.configFile])).toMatchObject({ stderr: '' });
    await again.waitFor((status) => findTunnel(status, 'hub')?.state === 'up');
    // `up` does not change the route of clients; `rollback` does.
    await echoOnce(listen);
    expect(tunnelOf(await again.status(), 'hub')).toMatchObject({ route: 'successor', usage: { opened_total: 0 } });
  });

  const draining = async (extra: Record<string, unknown> = {}): Promise<Mesh> => {
    const plan = planFile(recorded(PLAN, 'go', '1.1'), 'due-plan.yaml');
    const hub = { target: echo.port, drain: { ...SHORT, step: '1.2', ...extra } };
    return startMesh({ sshd, host: { sessions: 1 }, tunnels: { hub }, extra: { plan } });
  };

  test('needs a whole quiet period of watching again after a restart', async () => {
    await using mesh = await draining();
    await mesh.waitForTunnel('up');
    await echoOnce(mesh.port('hub'));
    await reaches(mesh.daemon, 'retirable', ({ verdict }) => verdict === 'retirable');
    mesh.daemon.signal('SIGKILL');
    await mesh.daemon.exit;
    await using again = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    const since = Date.now();
    const first = await reaches(again, 'any', () => true);
    expect(first.verdict).not.toBe('retirable');
    const watched = await reaches(again, 'watched', ({ unknowns }) =>
      unknowns.some((found) => found.clears_at !== null),
    );
    expect(codesOf(watched)).toContain('observation_gap');
    const second = await reaches(again, 'retirable', ({ verdict }) => verdict === 'retirable');
    expect(Date.parse(second.checked_at) - since).toBeGreaterThanOrEqual(2_000);
    const { body } = await again.get('/events?tunnel=hub');
    expect(body).toContain('"drain.verdict"');
  });

  test('allows retirement with overrides, which lasts over a restart until `up`', async () => {
    await using mesh = await draining({ quiet_for: '1s', rollback: undefined });
    await mesh.waitForTunnel('up');
    await reaches(mesh.daemon, 'watched', (answer) => codesOf(answer).join() === 'no_rollback');
    const cli = (...args: string[]) => runCli([...args, '--config', mesh.configFile]);
    expect(await cli('retire', 'hub')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no_rollback.*\n.*Waiting does not clear no_rollback/s),
    });
    expect(await cli('retire', 'hub', '--wait', '20s')).toMatchObject({ code: 1 });
    expect(await cli('retire', 'hub', '--dry-run')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('nothing was changed'),
    });
    expect(await cli('retire', 'hub', '--override', 'no_rollback')).toMatchObject({ code: 64 });
    const taken = ['--override', 'no_rollback', '--reason', 'it is a test'];
    const gap = await cli('retire', 'hub', ...taken, '--override', 'observation_gap', '--reason', 'trust me');
    expect(gap).toMatchObject({ code: 64, stderr: expect.stringContaining('observation_gap cannot be overridden') });
    expect(await cli('retire', 'hop')).toMatchObject({ code: 4 });
    expect(await cli('retire', 'hub', ...taken, '--dry-run')).toMatchObject({ code: 0 });
    expect((await mesh.daemon.status()).tunnels[0]?.state).toBe('up');

    expect(await cli('retire', 'hub', ...taken)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('hub is retired'),
    });
    const gone = await mesh.waitFor(({ links, tunnels }) => tunnels[0]?.state === 'retired' && links.length === 0);
    expect(gone.tunnels[0]).toMatchObject({ reason: expect.stringContaining('fleet-mesh up'), retirement: null });
    expect(gone.advisories.map(({ code }) => code)).toContain('tunnel_retired');
    await expect(echoOnce(mesh.port('hub'))).rejects.toThrow('ECONNREFUSED');
    expect(await mesh.metric('retire_overrides_total', { tunnel: 'hub', code: 'no_rollback' })).toBe(1);
    expect(await cli('retire', 'hub')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is retired already'),
    });
    expect(await cli('wait', 'hub', '--for', 'retirable')).toMatchObject({ code: 0 });
    expect((await mesh.daemon.get('/drain/hub?require=retirable')).status).toBe(200);
    const { body } = await mesh.daemon.get('/events?tunnel=hub');
    const overridden = [{ code: 'no_rollback', reason: 'it is a test' }];
    expect(JSON.parse(body).events).toContainEqual(expect.objectContaining({ event: 'tunnel.retired', overridden }));
    await mesh.daemon.stop();

    await using again = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    const still = await again.waitFor(({ evidence }) => evidence.state === 'ok');
    expect([still.tunnels[0]?.state, still.links]).toEqual(['retired', []]);
    expect(await cli('up', 'hub')).toMatchObject({ stderr: '' });
    await again.waitFor(({ tunnels }) => tunnels[0]?.state === 'up');
    await echoOnce(mesh.port('hub'));
    expect((await verdictOf(again)).retired_at).toBeNull();
  });
});
