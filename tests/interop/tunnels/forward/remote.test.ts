import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { echoOnce, startSteadyClient } from '../../../support/clients/steady-client.ts';
import { findTunnel, hasSessions, type Mesh, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { listenersOn } from '../../../support/machine/port-owner.ts';
import { signal } from '../../../support/machine/proc.ts';
import { patient } from '../../../support/patience.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startStateHub } from '../../../support/peers/stand-ins.ts';
import { startBanner, startEcho } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

/** The pause between the requests of a steady client, in milliseconds. */
const EVERY_MS = 3;

const remote = (target: number, more: object = {}) => ({ direction: 'remote', target, ...more });

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('remote tunnels over a real sshd', () => {
  it('carries all bytes of a remote tunnel both ways, and counts them from the client on the host', async () => {
    await using sshd = await startSshd();
    const down = { seed: 1, bytes: 40_000_000 };
    const up = { seed: 2, bytes: 30_000_000 };
    await using target = await startBulkServer(down);
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(target.port) } });
    const { reason } = await mesh.waitForTunnel('up');
    expect(reason).toBeNull();

    const [received, sent] = await Promise.all([exchangeBulk(mesh.port('back'), up), target.received()]);
    expect(received).toEqual({ ...bulkDigest(down), end: 'fin' });
    expect(sent).toEqual({ ...bulkDigest(up), end: 'fin' });
    const status = await mesh.waitFor((each) => findTunnel(each, 'back')?.usage.open === 0);
    // The proof does not count as use: one connection, with exactly its bytes.
    expect(tunnelOf(status, 'back').usage).toMatchObject({
      opened_total: 1,
      failed_total: 0,
      bytes_to_target: up.bytes,
      bytes_from_target: down.bytes,
    });
    expect(target.accepted()).toBe(1);
  });

  it('binds a remote listener on the other session when its session is killed', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port) } });
    await mesh.waitForTunnel('up');
    await mesh.waitFor(hasSessions(2));
    expect(await mesh.metric('remote_listen_gap_seconds_count')).toBe(0);

    const client = startSteadyClient(mesh.port('back'), 5);
    await waitUntil('it runs', () => client.served() > 20);
    await client.inTheGap(() => signal(holderOf(sshd, mesh.port('back')), 'SIGKILL'));
    await waitUntil('it was bound again', async () => (await mesh.metric('remote_listen_gap_seconds_count')) === 1);
    const served = client.served();
    await waitUntil('it goes on', () => client.served() > served + 20);
    const { failures } = await client.stop();
    const gap = await mesh.metric('remote_listen_gap_seconds_sum');
    process.stderr.write(`killed: gap ${(gap * 1000).toFixed(1)} ms, ${failures.length} requests failed\n`);
    expect(gap).toBeLessThan(patient(250) / 1_000);
    await mesh.waitForTunnel('up');
  });
});

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a far side that says no', () => {
  it.each([
    ['AllowTcpForwarding no', 'remote_listen_denied', 'forbids us to test'],
    ['AllowTcpForwarding local', 'remote_listen_denied', 'no other program listens there'],
    ['PermitListen 127.0.0.1:1', 'remote_listen_denied', 'no other program listens there'],
  ] as const)('refuses with %s, which shows as %s', async (line, code, words) => {
    await using sshd = await startSshd({ extraConfig: [line] });
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port) } });
    const back = await mesh.waitForDown(code);
    expect(back).toMatchObject({ reason: expect.stringContaining(words) });
    expect(back.last_error?.hint).toContain('AllowTcpForwarding');
    // A refusal by the host is no reason to restart this daemon.
    expect((await mesh.daemon.get('/readyz')).status).toBe(200);
  });

  it('reports a port that another program holds, and retries slowly', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using other = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port, { listen: other.port }) } });
    const back = await mesh.waitForDown('remote_listen_in_use');
    expect(back.reason).toBe(`another listener holds 127.0.0.1:${other.port} on coulombcore`);
    // Each session that comes may have asked once.
    expect(other.accepted()).toBeLessThanOrEqual(2);
    expect(back.last_error?.hint).toContain('ClientAliveInterval');
  });

  it('serves clients in state unverified when the server forbids the proof', async () => {
    await using sshd = await startSshd({ extraConfig: ['PermitOpen none'] });
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd,
      tunnels: { back: remote(echo.port, { probe: { tcp: {}, every: '500ms' } }) },
    });
    const status = await mesh.waitFor((each) => findTunnel(each, 'back')?.last_error?.code === 'forward_denied');
    expect(tunnelOf(status, 'back')).toMatchObject({
      state: 'unverified',
      reason: expect.stringContaining('forbids the connection that proves the listener'),
    });
    await echoOnce(mesh.port('back'));
    expect(tunnelOf(await mesh.daemon.status(), 'back').usage.opened_total).toBe(1);
  });

  it('cancels a listener that GatewayPorts no confines to loopback', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const port = await freePort();
    await using mesh = await startMesh({ sshd, tunnels: { wide: remote(echo.port, { listen: `0.0.0.0:${port}` }) } });
    const status = await mesh.waitFor((each) => findTunnel(each, 'wide')?.last_error?.code === 'remote_listen_denied');
    expect(tunnelOf(status, 'wide')).toMatchObject({
      reason: expect.stringContaining('listens on loopback only'),
      last_error: { code: 'remote_listen_denied', hint: expect.stringContaining('GatewayPorts clientspecified') },
    });
    await waitUntil('nobody listens', () => listenersOn(port, sshd.sessionPids()).length === 0);
  });

  it('proves a listener on every address with GatewayPorts clientspecified', async () => {
    await using sshd = await startSshd({ extraConfig: ['GatewayPorts clientspecified'] });
    await using echo = await startEcho();
    const port = await freePort();
    await using mesh = await startMesh({ sshd, tunnels: { wide: remote(echo.port, { listen: `0.0.0.0:${port}` }) } });
    await mesh.waitForTunnel('up');
    await echoOnce(port);
  });

  it('reports a listener that GatewayPorts yes makes wider than requested', async () => {
    await using sshd = await startSshd({ extraConfig: ['GatewayPorts yes'] });
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port) } });
    await mesh.waitFor((each) => findTunnel(each, 'back')?.reason?.includes('listens on every address') === true);
    await echoOnce(mesh.port('back'));
  });
});

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('a remote listener that has to move', () => {
  it('reports its own dead session, and binds the address as soon as sshd releases it', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using proxy = await FaultProxy.start(sshd.port);
    writeFileSync(
      sshd.knownHostsFile,
      readFileSync(sshd.knownHostsFile, 'utf8').replaceAll(`:${sshd.port} `, `:${proxy.port} `),
    );
    // Not so fast that a busy machine loses sessions, or cannot log in.
    const keepalive = { every: '500ms', lost_after: 4 };
    await using mesh = await startMesh({
      sshd,
      host: { port: proxy.port, sessions: 1, keepalive, connect_timeout: '3s' },
      tunnels: { back: remote(echo.port) },
    });
    await mesh.waitForTunnel('up');
    const ghost = holderOf(sshd, mesh.port('back'));
    // sshd sees nothing of it: its end of the connection stays open.
    proxy.pause();
    await mesh.waitForTunnel('down');
    proxy.forget();
    expect(await mesh.waitForDown('remote_listen_in_use')).toMatchObject({
      reason: expect.stringContaining('by our own lost session'),
      last_error: { hint: expect.stringContaining('ClientAliveInterval 15') },
    });
    const freedAt = performance.now();
    signal(ghost, 'SIGKILL');
    await mesh.waitForTunnel('up');
    expect(performance.now() - freedAt).toBeLessThan(patient(5_000));
    await echoOnce(mesh.port('back'));
    expect(await mesh.metric('remote_listen_gap_seconds_sum')).toBeGreaterThan(1);
  });

  it('moves a remote listener to new sessions with a short gap, and keeps open connections', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port) } });
    await mesh.waitForTunnel('up');
    await mesh.waitFor(hasSessions(2));
    const before = holderOf(sshd, mesh.port('back'));
    const open = await startTalk(mesh.port('back'));
    const client = startSteadyClient(mesh.port('back'), EVERY_MS);
    await waitUntil('it runs', () => client.served() > 20);

    // The same file by another name: its sessions replace the old ones.
    const copy = `${sshd.knownHostsFile}.copy`;
    copyFileSync(sshd.knownHostsFile, copy);
    await mesh.write({ host: { known_hosts: copy } });
    await mesh.reload();
    await waitUntil('it moved', () => listenersOn(mesh.port('back'), sshd.sessionPids()).some((pid) => pid !== before));
    const served = client.served();
    await waitUntil('it goes on', () => client.served() > served + 20);
    const { failures } = await client.stop();
    const gap = await mesh.metric('remote_listen_gap_seconds_sum');
    expect(await mesh.metric('remote_listen_gap_seconds_count')).toBe(1);
    expect(gap).toBeLessThan(patient(100) / 1_000);
    // Only requests within the gap are refused, and one at each end.
    expect(failures.length).toBeLessThanOrEqual(2 + (gap * 1_000) / EVERY_MS);
    process.stderr.write(`moved: gap ${(gap * 1000).toFixed(1)} ms, ${failures.length} of ${served} requests failed\n`);

    expect(await open.say('still here')).toBe('still here');
    open.end();
    await mesh.waitFor((each) => each.links[0]?.sessions.every(({ role }) => role !== 'draining') === true);
    await mesh.waitForTunnel('up');
  });

  it('moves a remote listener to another address at a reload, and cancels it with its tunnel', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { back: remote(echo.port), other: remote(echo.port) } });
    await mesh.waitForTunnel('up', 'back');
    const [first, second] = [mesh.port('back'), await freePort()];
    await mesh.write({ tunnels: { back: remote(echo.port, { listen: second }), other: remote(echo.port) } });
    await mesh.reload();
    await mesh.waitForTunnel('up', 'back');
    await echoOnce(second);
    expect(listenersOn(first, sshd.sessionPids())).toEqual([]);

    await mesh.write({ tunnels: { other: remote(echo.port) } });
    await mesh.reload();
    expect(listenersOn(second, sshd.sessionPids())).toEqual([]);
    await echoOnce(mesh.port('other'));
    expect((await mesh.daemon.stop()).code).toBe(0);
  });
});

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('the probe of a remote tunnel', () => {
  it('probes a remote tunnel through its listener, counts no use, and reports a target that is down', async () => {
    await using sshd = await startSshd();
    const hub = await startStateHub();
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        back: remote(hub.port, {
          probe: { http: { path: '/state/health', json: { status: 'ok' } }, every: '500ms', fall: 1, rise: 1 },
        }),
      },
    });
    await mesh.waitForTunnel('up');
    await waitUntil('several probes', () => hub.requests.length > 2);
    expect(new Set(hub.requests)).toEqual(new Set(['GET /state/health']));
    expect(tunnelOf(await mesh.daemon.status(), 'back').usage).toMatchObject({
      opened_total: 0,
      failed_total: 0,
      bytes_to_target: 0,
      last_activity_at: null,
    });
    await hub.stop();
    const down = await mesh.waitForTunnel('degraded');
    expect(down).toMatchObject({ last_error: { code: 'target_refused' }, usage: { failed_total: 0 } });
    await expect(echoOnce(mesh.port('back'))).rejects.toThrow();
    await mesh.waitFor((each) => findTunnel(each, 'back')?.usage.failed_total === 1);
    await using again = await startStateHub(hub.port);
    await mesh.waitForTunnel('up');
    expect(again.requests.length).toBeGreaterThan(0);
  });

  it('delays no client with the probe of a remote tunnel, whichever side speaks first', async () => {
    await using sshd = await startSshd();
    await using banner = await startBanner('220 hello\r\n');
    await using mesh = await startMesh({
      sshd,
      tunnels: { back: remote(banner.port, { probe: { banner: '220 ', every: '500ms' } }) },
    });
    await mesh.waitForTunnel('up');
    const times: number[] = [];
    for (const until = performance.now() + 2_000; performance.now() < until; ) times.push(await greeting(mesh));
    const slowest = Math.max(...times);
    process.stderr.write(`${times.length} greetings beside probes, slowest ${slowest.toFixed(1)} ms\n`);
    expect(slowest).toBeLessThan(patient(500));
  });
});

/** How long a silent client waits for the target's first bytes, in milliseconds. */
function greeting(mesh: Mesh): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: mesh.port('back') });
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve(performance.now() - from);
    });
  });
}

/** A connection that stays. */
async function startTalk(port: number): Promise<{ say(text: string): Promise<string>; end(): void }> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  const say = async (text: string) => {
    const answer = once(socket, 'data');
    socket.write(text);
    return String((await within('an answer', answer))[0]);
  };
  await say('hello');
  return { say, end: () => socket.end() };
}

/** The sshd process of the session that holds the listener. */
function holderOf(sshd: Sshd, port: number): number {
  const [pid] = listenersOn(port, sshd.sessionPids());
  if (pid === undefined) throw new Error(`no session of this sshd listens on ${port}`);
  return pid;
}
