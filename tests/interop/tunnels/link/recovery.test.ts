import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { pythonClient } from '../../../support/clients/python-client.ts';
import { echoOnce, startSteadyClient } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, sessionIds, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { descendantsOf, signal } from '../../../support/machine/proc.ts';
import { patient } from '../../../support/patience.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho, startSilent } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** The processes of each session, oldest session first. */
function sessionsOf(sshd: Sshd): number[][] {
  const all = new Set(sshd.sessionPids());
  const below = new Map([...all].map((pid) => [pid, descendantsOf(pid)]));
  const tops = [...all].filter((pid) => ![...below.values()].some((pids) => pids.includes(pid)));
  return tops.sort((a, b) => a - b).map((pid) => [pid, ...(below.get(pid) ?? [])]);
}

describe.skipIf(!has('sshd') || !has('procfs'))('a link that is lost', () => {
  it('reconnects by itself when every session is killed', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const before = sessionIds(await mesh.waitFor(hasSessions(2)));
    expect(sshd.killSessions()).toBeGreaterThan(0);
    // Without a pause: a client that connects now is held until a session is up.
    await echoOnce(mesh.port('echo'));
    const isNew = (id: number) => id > Math.max(...before);
    await mesh.waitFor((status) => hasSessions(2)(status) && sessionIds(status).every(isNew));
    expect(await mesh.metric('link_recover_seconds_count')).toBe(1);
    // A busy machine may have opened a spare session, which was killed as well.
    expect(await mesh.metric('link_detect_seconds_count')).toBeGreaterThanOrEqual(2);
  });

  it.each(['active', 'standby'])('loses no request when the %s one of two sessions is killed', async (role) => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    const { sessions } = linkOf(await mesh.waitFor(hasSessions(2)));
    const victim = sessionsOf(sshd).at(sessions.findIndex((session) => session.role === role)) ?? [];
    const client = startSteadyClient(mesh.port('echo'), 20);
    await waitUntil('the client is served', () => client.served() >= 50);

    // A killed session loses its current request, which no proxy can repeat. So the kill comes between two requests.
    await client.inTheGap(() => {
      for (const pid of victim) signal(pid, 'SIGKILL');
    });
    await mesh.waitFor(
      (status) => hasSessions(2)(status) && linkOf(status).sessions.some(({ id }) => id === 3),
      20_000,
    );

    await waitUntil('the client went on', () => client.served() >= 120);
    const { served, failures, slowestMs } = await client.stop();
    expect(failures).toEqual([]);
    expect(slowestMs).toBeLessThan(patient(1_000));
    process.stderr.write(`recovery (${role} killed): ${served} requests, slowest ${slowestMs.toFixed(0)} ms\n`);
  });

  it('loses only current requests, whenever the sessions die', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const clients = Array.from({ length: 6 }, () => startSteadyClient(mesh.port('echo'), 5));
    const kills: number[] = [];
    for (let round = 1; round <= 3; round++) {
      const goal = clients.map((client) => client.served() + 15);
      await waitUntil('all are served', () => clients.every((client, index) => client.served() >= (goal[index] ?? 0)));
      for (const pid of sessionsOf(sshd)[0] ?? []) signal(pid, 'SIGKILL');
      kills.push(performance.now());
      await mesh.waitFor((status) => hasSessions(2)(status) && status.links[0]?.sessions.at(-1)?.id === 2 + round);
    }
    const results = await Promise.all(clients.map((client) => client.stop()));
    const failures = results.flatMap((result) => result.failures);
    expect(
      failures.filter(({ from, to }) => !kills.some((killedAt) => from <= killedAt && killedAt <= to + 50)),
    ).toEqual([]);
    const served = results.reduce((sum, result) => sum + result.served, 0);
    process.stderr.write(`recovery (6 clients, 3 kills): ${served} served, ${failures.length} cut under way\n`);
  });

  it('serves every held client when sshd is stopped and started again', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { echo: { target: echo.port, while_down: { hold: '60s', limit: 256 } } },
    });
    await mesh.waitFor(hasSessions(2));
    const port = mesh.port('echo');
    const client = startSteadyClient(port, 20);
    await waitUntil('the client is served', () => client.served() >= 5);

    let stopped: Promise<void> | undefined;
    await client.inTheGap(() => {
      sshd.killSessions();
      stopped = sshd.stop();
    });
    await stopped;
    const crowd = Array.from({ length: 40 }, (_, index) => echoOnce(port, `held ${index}`, 60_000));
    await mesh.waitFor(({ tunnels }) => (tunnels[0]?.usage.held ?? 0) >= 40);
    const down = await mesh.waitForTunnel('down');
    expect(down.reason).toMatch(/^no SSH session to coulombcore: /);
    await sshd.restart();

    const waits = await Promise.all(crowd);
    const { failures, slowestMs } = await client.stop();
    expect(failures).toEqual([]);
    expect(waits).toHaveLength(40);
    const { usage } = await mesh.waitForTunnel('up');
    expect(usage).toMatchObject({ failed_total: 0, held: 0 });
    expect(await mesh.metric('tunnel_hold_seconds_count')).toBeGreaterThanOrEqual(41);
    process.stderr.write(`recovery (sshd away): 40 held, slowest ${slowestMs.toFixed(0)} ms, 0 failed\n`);
  });

  it('resets a held client after the hold time, and clients above the limit at once', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { echo: { target: echo.port, while_down: { hold: '2s', limit: 3 } } },
    });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    await sshd.stop();
    await mesh.waitForTunnel('down');
    const from = performance.now();
    // In one go: the daemon accepts in this order, and the fourth is one too many.
    const ends = await Promise.all(Array.from({ length: 4 }, () => endOf(mesh.port('echo'))));
    expect(ends.map(({ end, bytes }) => `${end} ${bytes}`)).toEqual(Array(4).fill('rst 0'));
    const [first = 0, ...held] = ends.map(({ at }) => at - from).toSorted((one, other) => one - other);
    for (const each of held) expect(each).toBeGreaterThan(1_900);
    expect(Math.min(...held) - first).toBeGreaterThan(1_000);
    await mesh.waitFor(({ tunnels: [echo] }) => echo?.usage.held === 0 && echo.usage.failed_total === 4);
    expect((await mesh.daemon.status()).tunnels[0]?.state).toBe('down');
  });

  it('resets new clients at once with while_down: refuse, and keeps listening', async () => {
    await using sshd = await startSshd();
    await using silent = await startSilent();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: silent.port, while_down: 'refuse' } } });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    await sshd.stop();
    await mesh.waitForTunnel('down');
    const startedAt = performance.now();
    const ends = await Promise.all(Array.from({ length: 4 }, () => pythonClient({ port: mesh.port('echo') })));
    expect(performance.now() - startedAt).toBeLessThan(patient(2_000));
    expect(ends.map(({ end }) => end)).toEqual(['rst', 'rst', 'rst', 'rst']);
    await mesh.waitFor(({ tunnels: [echo] }) => echo?.usage.held === 0 && echo.usage.failed_total === 4);
    expect((await mesh.daemon.status()).tunnels[0]?.state).toBe('down');
  });
});

/** How and when the connection of a client that says something and waits has ended. */
function endOf(port: number): Promise<{ readonly end: 'fin' | 'rst'; readonly bytes: number; readonly at: number }> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let end: 'fin' | 'rst' = 'fin';
    socket.on('error', ({ message }) => {
      if (message.includes('ECONNRESET')) end = 'rst';
    });
    socket.resume().once('close', () => resolve({ end, bytes: socket.bytesRead, at: performance.now() }));
    socket.write('hello');
  });
}
