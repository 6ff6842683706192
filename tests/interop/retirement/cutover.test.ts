import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../../../src/operator/control/client.ts';
import { type CutoverResult, cutoverResult } from '../../../src/operator/control/protocol.ts';
import type { Entry } from '../../../src/retirement/evidence/entry.ts';
import { openChatter } from '../../support/clients/chatter.ts';
import { startLoop } from '../../support/clients/request-loop.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { type Daemon, runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { type Mesh, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { controlSocketIn } from '../../support/fakes/fleet-config.ts';
import { planYaml, wave } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { patient } from '../../support/patience.ts';
import { type Hub, startHub } from '../../support/peers/hub.ts';
import type { LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startResettingServer } from '../../support/peers/resetting-server.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** Number of kills of the daemon. By hand, use more: `CUTOVER_KILLS=200`. */
const { CUTOVER_KILLS = '8' } = process.env;
const KILLS = Number(CUTOVER_KILLS);

describe.skipIf(!has('sshd'))('a cut-over', () => {
  let sshd: Sshd;
  let old: Hub;
  let successor: Hub;
  beforeAll(async () => {
    [sshd, old, successor] = await Promise.all([startSshd(), startHub('old'), startHub('new')]);
  });
  afterAll(async () => {
    await Promise.all([old.stop(), successor.stop()]);
    await sshd[Symbol.asyncDispose]();
  });

  const never = new AbortController().signal;
  /** Usually ends early. The limit is long, so that a busy machine rolls nothing back. */
  const HOLD = '15s';
  /** Three failures in a row take three of them. */
  const PAUSE = `${Math.min(patient(500), 2_000)}ms`;
  const HEALTH = { http: { path: '/state/health', json: { status: 'ok' } }, every: PAUSE, timeout: PAUSE, rise: 1 };
  /** For a request during a cut-over. */
  const SLOWEST_MS = 2_500;
  const COMPARE = [{ path: '/state/summary', fields: ['tasks', 'progress_events'] }];
  const drain = (to: number, own: Record<string, unknown> = {}) => ({
    step: '1.1',
    successor: {
      target: `127.0.0.1:${to}`,
      probe: HEALTH,
      hold: HOLD,
      verify_for: '1s',
      ...own,
    },
  });
  const writePlan = (approved: boolean) => {
    const gate = { id: 'hub-cutover', title: 'Cut-over approval', owner: 'operator', blocks: ['1.1'] };
    const given = approved ? { approved: { by: 'worsch', at: '2026-07-20T10:00:00Z', evidence: 'decision' } } : {};
    writeFileSync(
      join(sshd.directory, 'plan.yaml'),
      planYaml({ gates: [{ ...gate, ...given }], waves: [wave(1, [], 1)] }),
    );
  };
  const start = async (tunnel: Record<string, unknown>) => {
    writePlan(true);
    const mesh = await startMesh({
      sshd,
      tunnels: { hub: { target: old.port, ...tunnel } },
      extra: { plan: 'plan.yaml' },
    });
    await mesh.waitForTunnel('up');
    return mesh;
  };
  const socketOf = ({ endpointPort }: Mesh) => controlSocketIn(sshd.directory, endpointPort);
  const cutover = (mesh: Mesh, { dryRun = false, tell = (_: string) => {} } = {}) =>
    command(socketOf(mesh), { command: 'cutover', name: 'hub', dry_run: dryRun }, cutoverResult, never, 60_000, tell);
  const rollback = (mesh: Mesh) => command(socketOf(mesh), { command: 'rollback', name: 'hub' }, cutoverResult, never);
  const hubOf = async (daemon: Daemon) => tunnelOf(await daemon.status(), 'hub');
  const phase = (mesh: Mesh, wanted: string) =>
    mesh.waitFor((status) => tunnelOf(status, 'hub').cutover?.phase === wanted);

  test('changes nothing while a check fails, and names the check', async () => {
    await using mesh = await start({ drain: drain(successor.port, { compare: COMPARE }) });
    successor.summary = { tasks: 339, progress_events: 5210 };
    const before = await hubOf(mesh.daemon);
    const dry = await runCli(['cutover', 'hub', '--dry-run', '--config', mesh.configFile]);
    expect(dry).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAIL {2}GET \/state\/summary: 1 field differs/),
    });
    expect(dry.stdout).toMatch(/\/state\/summary tasks: 340 through the tunnel, 339 at the successor/);
    expect(dry.stdout).toMatch(/^2\. hold: .*15s at most/m);
    expect((await hubOf(mesh.daemon)).cutover).toEqual(before.cutover);

    expect(await cutover(mesh)).toMatchObject({ outcome: 'blocked' });
    expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'tunnel', cutover: { phase: 'idle' } });

    successor.summary = old.summary;
    successor.healthy = false;
    expect((await cutover(mesh)).reason).toMatch(/successor .* is unhealthy: .*503/);
    successor.healthy = true;
    // The daemon reads the plan file at the request, not at the next poll.
    writePlan(false);
    const gates = (await cutover(mesh)).checks.find(({ name }) => name === 'gates');
    expect([gates?.ok, gates?.details.join()]).toEqual([false, 'hub-cutover: Cut-over approval (operator)']);
    expect((await cutover(mesh, { dryRun: true })).outcome).toBe('blocked');
    writePlan(true);
    expect((await cutover(mesh, { dryRun: true })).outcome).toBe('possible');
    const possible = await runCli(['cutover', 'hub', '--dry-run', '--config', mesh.configFile]);
    expect(possible).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('dry run: cut-over possible, nothing changed'),
    });
    expect(await runCli(['cutover', 'hop', '--config', mesh.configFile])).toMatchObject({ code: 4 });
    expect(await mesh.metric('tunnel_route', { route: 'tunnel' })).toBe(1);
  });

  test('loses no request under load, through a cut-over, an automatic rollback and a second cut-over', async () => {
    await using mesh = await start({ drain: drain(successor.port, { compare: COMPARE }) });
    const port = mesh.port('hub');
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const kept = startLoop(() => ask(port, agent), 3);
    const fresh = startLoop(() => ask(port, false), 3);
    const steady = new Agent({ keepAlive: true, maxSockets: 1 });
    const fromTunnel = () => hubOf(mesh.daemon).then(({ usage }) => usage.opened_total);
    try {
      expect((await ask(port, steady)).hub).toBe('old');
      await pause(1_000);
      expect(await cutover(mesh)).toMatchObject({ outcome: 'committed' });
      expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'successor', cutover: { phase: 'committed' } });
      const after = await fromTunnel();
      expect((await ask(port, false)).hub).toBe('new');
      await waitUntil('many use the successor', async () => {
        const { cutover: moved } = await hubOf(mesh.daemon);
        return (moved?.usage.opened_total ?? 0) > 50;
      });
      // Open connections stay on the tunnel; new ones do not count as use of the tunnel.
      expect((await ask(port, steady)).hub).toBe('old');
      const { usage } = await hubOf(mesh.daemon);
      expect(usage).toMatchObject({ opened_total: after, held: 0 });
      expect(usage.open).toBeGreaterThan(0);

      expect(await rollback(mesh)).toMatchObject({ outcome: 'rolled_back' });
      expect((await ask(port, false)).hub).toBe('old');

      // At the line of the phase: a look at the status may come after it.
      const second = cutover(mesh, {
        tell: (line) => {
          if (line.includes('verifying')) successor.healthy = false;
        },
      });
      expect(await second).toMatchObject({
        outcome: 'rolled_back',
        reason: expect.stringMatching(/3 times in a row.*503/),
      });
      expect((await ask(port, false)).hub).toBe('old');
      successor.healthy = true;
      expect(await cutover(mesh)).toMatchObject({ outcome: 'committed' });
      await pause(300);
    } finally {
      successor.healthy = true;
      const results = await Promise.all([kept.stop(), fresh.stop()]);
      agent.destroy();
      steady.destroy();
      for (const { failures, slowestMs, served } of results) {
        expect(failures).toEqual([]);
        expect(slowestMs).toBeLessThan(patient(SLOWEST_MS));
        expect(served).toBeGreaterThan(100);
      }
    }
    const { events } = JSON.parse((await mesh.daemon.get('/events')).body) as { events: Entry[] };
    const phases = events.flatMap(({ event, to }) => (event === 'cutover.phase' ? [to] : []));
    expect(phases.slice(0, 5)).toEqual(['preflight', 'holding', 'switching', 'verifying', 'committed']);
  });

  test('serves clients through the tunnel when the successor rejects them, and rolls back', async () => {
    await using other = await startHub('new');
    await using mesh = await start({ drain: drain(other.port, { verify_for: '10s' }) });
    const loop = startLoop(() => ask(mesh.port('hub'), false), 10);
    const done = cutover(mesh);
    await phase(mesh, 'verifying');
    expect((await ask(mesh.port('hub'), false)).hub).toBe('new');
    other.refuse();
    expect(await done).toMatchObject({ outcome: 'rolled_back', reason: expect.stringContaining('refused') });
    expect((await loop.stop()).failures).toEqual([]);
    expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'tunnel', cutover: { phase: 'rolled_back' } });
  });

  test('loses no client to a successor that resets at once, and rolls back', async () => {
    await using resetter = await startResettingServer();
    await using mesh = await start({
      drain: drain(resetter.port, { probe: { tcp: {} }, compare: [], verify_for: '10s' }),
    });
    const loop = startLoop(() => ask(mesh.port('hub'), false), 10);
    expect(await cutover(mesh)).toMatchObject({
      outcome: 'rolled_back',
      // A client may have the reset right after its accept, or within its connect.
      reason: expect.stringMatching(/without an answer|connect ECONNRESET/),
    });
    expect((await loop.stop()).failures).toEqual([]);
    expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'tunnel', cutover: { phase: 'rolled_back' } });
  });

  test('keeps open connections on the tunnel, and holds new ones no longer than hold', async () => {
    await using before: LoopbackServer = await startEcho();
    await using after: LoopbackServer = await startEcho();
    const target = { probe: { tcp: {}, every: '500ms' }, hold: '2s', verify_for: '1s' };
    await using mesh = await start({ target: before.port, drain: drain(after.port, target) });
    await using chatter = await openChatter(mesh.port('hub'));
    await chatter.say('before');
    const done = cutover(mesh);
    await phase(mesh, 'holding');
    const waited = await echoOnce(mesh.port('hub'));
    expect(waited).toBeLessThan(patient(2_100));
    expect(await done).toMatchObject({ outcome: 'committed' });
    await chatter.say('after');
    expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'successor', usage: { open: 1 } });
    expect([before.sockets.size, after.accepted() > 0]).toEqual([1, true]);
  });

  test('rolls back when a reload changes the successor, and forgets the cut-over with its section', async () => {
    await using mesh = await start({ drain: drain(successor.port, { verify_for: '30s' }) });
    const done = cutover(mesh);
    await phase(mesh, 'verifying');
    await mesh.write({
      tunnels: { hub: { target: old.port, note: 'x', drain: drain(successor.port, { verify_for: '1s' }) } },
    });
    await mesh.reload();
    expect(await done).toMatchObject({ outcome: 'rolled_back', reason: expect.stringContaining('reload') });
    expect(await cutover(mesh)).toMatchObject({ outcome: 'committed' });
    await mesh.write({ tunnels: { hub: { target: old.port, note: 'y', drain: drain(successor.port) } } });
    await mesh.reload();
    expect((await hubOf(mesh.daemon)).route).toBe('successor');
    await mesh.write({ tunnels: { hub: { target: old.port } } });
    await mesh.reload();
    expect((await ask(mesh.port('hub'), false)).hub).toBe('old');
    expect(await hubOf(mesh.daemon)).toMatchObject({ route: 'tunnel', cutover: null });
  });

  test('resumes on the safe side after kill -9, from the first client on', {
    timeout: 180_000 + KILLS * 3_000,
  }, async () => {
    await using mesh = await start({ drain: drain(successor.port) });
    let daemon = mesh.daemon;
    const port = mesh.port('hub');
    try {
      for (let round = 0; round < KILLS; round++) {
        const running = cutover(mesh).catch((): CutoverResult | undefined => undefined);
        // A cut-over without clients takes about 1.1 s; the last round is beyond it.
        const ended = await Promise.race([running, pause(round === KILLS - 1 ? 5_000 : Math.random() * 1_500)]);
        daemon.signal('SIGKILL');
        await daemon.exit;
        await running;
        daemon = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
        // The very first request that the daemon serves, before any status request.
        const { hub } = await waitUntil('the port is served', () => ask(port, false).catch(() => undefined));
        const { route, cutover: found } = tunnelOf(await daemon.waitFor(() => true), 'hub');
        expect({ hub, route }).toEqual(route === 'successor' ? { hub: 'new', route } : { hub: 'old', route });
        expect(found?.phase).toEqual(
          route === 'successor' ? 'committed' : expect.stringMatching(/^(idle|rolled_back)$/),
        );
        if (ended) expect(route).toBe('successor');
        await daemon.waitFor((status) => tunnelOf(status, 'hub').state === 'up');
        if (route === 'successor') await rollback(mesh);
      }
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });

  test('leads to retirement: the port stays with the successor over restarts, and only `up` undoes that', async () => {
    const own = { healthy_for: '1s', verify_for: '2s' };
    const section = { ...drain(successor.port, own), quiet_for: '1s', rollback: 'fleet-mesh rollback hub' };
    await using mesh = await start({ drain: section });
    const cli = (...args: string[]) => runCli([...args, '--config', mesh.configFile]);
    const running = cli('cutover', 'hub');
    await waitUntil('the verdict names the cut-over', async () =>
      (await mesh.daemon.get('/drain/hub')).body.includes('"cutover_in_progress"'),
    );
    const { code, stdout } = await running;
    expect(code).toBe(0);
    expect(stdout).toMatch(/preflight\nholding\nswitching\nverifying\ncommitted\n.*fleet-mesh rollback hub/);

    expect(await cli('retire', 'hub', '--wait', '20s')).toMatchObject({ code: 0 });
    const { pid } = mesh.daemon;
    expect((await ask(mesh.port('hub'), false)).hub).toBe('new');
    expect(await cli('rollback', 'hub')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('fleet-mesh up hub'),
    });
    process.kill(pid, 'SIGKILL');
    await mesh.daemon.exit;
    await using daemon = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    const { hub } = await waitUntil('the port is served', () => ask(mesh.port('hub'), false).catch(() => undefined));
    const { route, usage } = await hubOf(daemon);
    expect([hub, route]).toEqual(['new', 'successor']);
    expect(usage).toMatchObject({ opened_total: 0, clients: [] });

    expect(await cli('up', 'hub')).toMatchObject({ stderr: '' });
    await daemon.waitFor((status) => tunnelOf(status, 'hub').state === 'up');
    expect(await cli('rollback', 'hub')).toMatchObject({ code: 0 });
    expect((await ask(mesh.port('hub'), false)).hub).toBe('old');
  });

  test('ends with its tunnel: another tunnel under the name of a retired one serves its own clients', async () => {
    const own = { healthy_for: '1s', verify_for: '1s' };
    const quiet = { quiet_for: '1s', rollback: 'start the old unit' };
    const moved = { ...drain(successor.port, own), ...quiet };
    const plain = { step: '1.1', ...quiet };
    await using third = await startHub('third');
    writePlan(true);
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        hub: { target: old.port, drain: moved },
        gone: { target: old.port, drain: plain },
        other: { target: third.port },
      },
      extra: { plan: 'plan.yaml' },
    });
    await mesh.waitForTunnel('up');
    const ports = { hub: mesh.port('hub'), gone: mesh.port('gone'), other: mesh.port('other') };
    const asked = async (port: number) => (await ask(port, false)).hub;
    expect(await cutover(mesh)).toMatchObject({ outcome: 'committed' });
    const cli = (...args: string[]) => runCli([...args, '--config', mesh.configFile]);
    for (const name of ['hub', 'gone']) expect(await cli('retire', name, '--wait', '30s')).toMatchObject({ code: 0 });

    // The port stays with its successor, wherever the tunnel behind it leads.
    await mesh.write({
      tunnels: {
        hub: { target: third.port, drain: moved },
        gone: { target: old.port, drain: plain },
        other: { target: third.port },
      },
    });
    await mesh.reload();
    expect([await asked(ports.hub), (await hubOf(mesh.daemon)).state]).toEqual(['new', 'retired']);

    // Two names change places, and one leads to another service.
    await mesh.write({
      tunnels: {
        hub: { listen: ports.other, target: old.port, drain: moved },
        gone: { target: third.port, drain: plain },
        other: { listen: ports.hub, target: third.port },
      },
    });
    const { advisories } = await mesh.reload();
    expect(await Promise.all([ports.other, ports.gone, ports.hub].map(asked))).toEqual(['old', 'third', 'third']);
    expect(advisories.map(({ code }) => code)).not.toContain('tunnel_retired');
    const { retirement, route } = await hubOf(mesh.daemon);
    expect([retirement?.verdict, route]).toEqual(['blocked', 'tunnel']);
    expect(retirement?.blockers).toContain('not_cut_over');
    const told = mesh.daemon.records().filter(({ event }) => event === 'retirement.ended');
    expect(told.map(({ tunnel }) => tunnel).toSorted()).toEqual(['gone', 'hub']);
  });
});

/** One GET; rejects unless the answer is complete. */
function ask(port: number, agent: Agent | false): Promise<{ hub: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: '/', agent, timeout: 60_000 }, (incoming) => {
      let body = '';
      incoming.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      incoming.once('error', reject);
      incoming.once('end', () => resolve(JSON.parse(body) as { hub: string }));
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.once('error', reject);
    outgoing.end();
  });
}
