import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { Cleanup } from '../../../support/cleanup.ts';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { echoOnce, startSteadyClient } from '../../../support/clients/steady-client.ts';
import { type Mesh, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const ECHO = 'echo';

function link(status: Status, host: string): Status['links'][number] {
  const found = status.links.find((each) => each.host === host);
  if (!found) throw new Error(`no link to ${host}: ${status.links.map((each) => each.host).join(', ')}`);
  return found;
}

const idsOf = (status: Status, host: string) => link(status, host).sessions.map(({ id }) => id);

const serving = (status: Status, host: string) =>
  link(status, host).sessions.filter(({ role }) => role !== 'draining').length;

describe.skipIf(!has('sshd') || !has('ssh-keygen'))('over jump hosts', () => {
  let cleanup: Cleanup;
  let inner: Sshd;
  let middle: Sshd;
  let outer: Sshd;

  beforeEach(async () => {
    cleanup = new Cleanup();
    [inner, middle, outer] = await Promise.all([startSshd(), startSshd(), startSshd()]);
    for (const sshd of [inner, middle, outer]) cleanup.use(sshd);
  });
  afterEach(() => cleanup[Symbol.asyncDispose]());

  const actorOf = (sshd: Sshd) => ({ key: sshd.clientKeyFile });
  const hostOf = (sshd: Sshd, more: Record<string, unknown> = {}) => ({
    address: '127.0.0.1',
    port: sshd.port,
    user: sshd.user,
    known_hosts: sshd.knownHostsFile,
    keepalive: { every: '500ms', lost_after: 6 },
    ...more,
  });
  /** node -> outer -> middle -> inner, with one actor each. */
  const chain = (outerPort = outer.port) => ({
    host: { jump: { host: 'middle', actor: 'agt-middle' }, keepalive: { every: '500ms', lost_after: 6 } },
    hosts: {
      middle: hostOf(middle, { jump: { host: 'outer', actor: 'agt-outer' } }),
      outer: hostOf(outer, { port: outerPort }),
    },
    actors: { 'agt-middle': actorOf(middle), 'agt-outer': actorOf(outer) },
  });
  const start = async (options: Omit<Parameters<typeof startMesh>[0], 'sshd'>): Promise<Mesh> =>
    cleanup.use(await startMesh({ sshd: inner, ...options }));

  it('reaches a host over two jump hosts, each with its own actor and host key, and shows the links', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({ ...chain(), tunnels: { [ECHO]: { target: echo.port, probe: { tcp: {} } } } });
    await mesh.waitForTunnel('up');
    await echoOnce(mesh.port(ECHO));
    // A session that was moved to another one below drains first.
    const status = await mesh.waitFor((each) =>
      ['coulombcore', 'middle', 'outer'].every((h) => serving(each, h) === 2 && link(each, h).sessions.length === 2),
    );
    expect(status.links.map(({ host, actor, state }) => [host, actor, state])).toEqual(
      expect.arrayContaining([
        ['outer', 'agt-outer', 'up'],
        ['middle', 'agt-middle', 'up'],
        ['coulombcore', 'atm-fleet-mesh', 'up'],
      ]),
    );
    expect(link(status, 'coulombcore').sessions.map(({ host_key }) => host_key)).toEqual(
      Array(2).fill(inner.hostKeys()[0]?.fingerprint),
    );
    // Each hop sees only the hop before it.
    expect(middle.log()).toContain('Accepted publickey');
  });

  it('never keeps both sessions of a link on one session of the jump host, even after a loss', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({ ...chain(), tunnels: { [ECHO]: { target: echo.port } } });
    const spread = (status: Status) =>
      ['outer', 'middle'].every((host) => link(status, host).sessions.every(({ connections }) => connections === 1)) &&
      ['coulombcore', 'middle', 'outer'].every((host) => serving(status, host) === 2);
    const before = idsOf(await mesh.waitFor(spread), 'outer');
    outer.killSession();
    // While the other session serves, a failed one waits for its backoff.
    await mesh.waitFor((status) => spread(status) && idsOf(status, 'outer').some((id) => !before.includes(id)), 40_000);
  });

  it('carries 50 MB each way over jump hosts unaltered', async () => {
    const plan = { seed: 7, bytes: 50_000_000 };
    const bulk = cleanup.use(await startBulkServer(plan));
    const mesh = await start({ ...chain(), tunnels: { bulk: { target: bulk.port } } });
    await mesh.waitForTunnel('up');
    const back = { seed: 8, bytes: 50_000_000 };
    const [received, sent] = await Promise.all([exchangeBulk(mesh.port('bulk'), back), bulk.received()]);
    expect(received).toEqual({ ...bulkDigest(plan), end: 'fin' });
    expect(sent).toEqual({ ...bulkDigest(back), end: 'fin' });
  });

  it('loses no request when one session to the first jump host is killed', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({ ...chain(), tunnels: { [ECHO]: { target: echo.port } } });
    const whole = (status: Status) => ['coulombcore', 'middle', 'outer'].every((h) => serving(status, h) === 2);
    const before = idsOf(await mesh.waitFor(whole), 'outer');
    const client = startSteadyClient(mesh.port(ECHO), 20);
    await waitUntil('the client is served', () => client.served() > 10);
    await client.inTheGap(() => outer.killSession());
    await mesh.waitFor((status) => whole(status) && idsOf(status, 'outer').some((id) => !before.includes(id)));
    const { failures, served } = await client.stop();
    expect(failures).toEqual([]);
    expect(served).toBeGreaterThan(10);
  });

  it('ends the inner sessions with the outer ones, reports why, waits, and reconnects at once', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({ ...chain(), tunnels: { [ECHO]: { target: echo.port } } });
    await mesh.waitForTunnel('up');
    await outer.stop();
    const words =
      /^no SSH session to coulombcore: jump host middle is unreachable: jump host outer is unreachable: .* refused the connection$/;
    const status = await mesh.waitFor((each) => words.test(tunnelOf(each, ECHO).reason ?? ''));
    expect(tunnelOf(status, ECHO).state).toBe('down');
    expect(link(status, 'middle').sessions).toEqual([]);
    const before = await mesh.metric('link_connect_attempts_total', { host: 'coulombcore' });
    await mesh.waitFor((each) => link(each, 'outer').attempts > 3);
    expect(await mesh.metric('link_connect_attempts_total', { host: 'coulombcore' })).toBe(before);
    // A waiting connection shortens the backoff of the first hop.
    const waiting = echoOnce(mesh.port(ECHO));
    await outer.restart();
    const ms = await waiting;
    expect(ms).toBeLessThan(patient(5_000));
    await mesh.waitForTunnel('up');
  });

  it('gives up sessions and attempts when the first jump host is black-holed', async () => {
    const proxy = cleanup.use(await FaultProxy.start(outer.port));
    // ssh looks a host key up by the port that it dials.
    const hosts = chain(proxy.port).hosts;
    const known = `${outer.directory}/known_hosts_proxy`;
    writeFileSync(known, readFileSync(outer.knownHostsFile, 'utf8').replaceAll(`:${outer.port} `, `:${proxy.port} `));
    const echo = cleanup.use(await startEcho());
    const mesh = await start({
      ...chain(proxy.port),
      hosts: { ...hosts, outer: { ...hosts.outer, known_hosts: known, connect_timeout: '1s' } },
      tunnels: { [ECHO]: { target: echo.port } },
    });
    await mesh.waitForTunnel('up');
    proxy.pause();
    const status = await mesh.waitFor((each) => each.links.every(({ sessions }) => sessions.length === 0), 5_000);
    expect(tunnelOf(status, ECHO).state).toBe('down');
    proxy.reset();
    proxy.resume();
    await mesh.waitForTunnel('up');
    await echoOnce(mesh.port(ECHO));
  });

  it('changes to another jump host, and then to none, without losing a request', async () => {
    const echo = cleanup.use(await startEcho());
    const tunnels = { [ECHO]: { target: echo.port } };
    const hosts = { middle: hostOf(middle), outer: hostOf(outer) };
    const actors = { 'agt-middle': actorOf(middle), 'agt-outer': actorOf(outer) };
    const via = (host: string, actor: string) => ({ jump: { host, actor } });
    const mesh = await start({ tunnels, hosts, actors, host: via('middle', 'agt-middle') });
    await mesh.waitForTunnel('up');
    const client = startSteadyClient(mesh.port(ECHO), 20);
    await mesh.write({ host: via('outer', 'agt-outer') });
    await mesh.reload();
    // The link to the old jump host goes with the last session over it.
    await mesh.waitFor(
      (each) => each.links.every(({ host }) => host !== 'middle') && serving(each, 'coulombcore') === 2,
    );
    await mesh.write({ host: {} });
    await mesh.reload();
    await mesh.waitFor((each) => each.links.length === 1 && serving(each, 'coulombcore') === 2);
    const { failures, served } = await client.stop();
    expect(failures).toEqual([]);
    expect(served).toBeGreaterThan(10);
    for (const left of [middle, outer])
      await waitUntil('the server has no session left', () => left.sessionPids().length === 0);
  });

  it('replaces the sessions over a jump host when the sessions to the jump host are replaced', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({ ...chain(), tunnels: { [ECHO]: { target: echo.port } } });
    const before = await mesh.waitFor((each) => serving(each, 'coulombcore') === 2);
    const client = startSteadyClient(mesh.port(ECHO), 20);
    const { hosts } = chain();
    await mesh.write({
      hosts: { ...hosts, outer: { ...hosts.outer, address: 'localhost', known_hosts: localKnown() } },
    });
    await mesh.reload();
    const after = await mesh.waitFor((each) =>
      ['coulombcore', 'middle', 'outer'].every(
        (host) =>
          link(each, host).sessions.length === 2 &&
          link(each, host).sessions.every(({ id }) => link(before, host).sessions.every((old) => old.id !== id)),
      ),
    );
    expect(after.state).toBe('up');
    expect((await client.stop()).failures).toEqual([]);
  });

  const localKnown = () => {
    const path = `${outer.directory}/known_hosts_localhost`;
    const [key] = outer.hostKeys();
    writeFileSync(path, `[localhost]:${outer.port} ${key?.publicKey}\n`);
    return path;
  };

  it('reports why the jump host cannot reach the host behind it', async () => {
    const echo = cleanup.use(await startEcho());
    const mesh = await start({
      host: { jump: { host: 'middle', actor: 'agt-middle' } },
      hosts: { middle: hostOf(middle) },
      actors: { 'agt-middle': actorOf(middle) },
      tunnels: { [ECHO]: { target: echo.port } },
    });
    await mesh.waitForTunnel('up');
    await inner.stop();
    const status = await mesh.waitFor((each) => {
      const { state, last_error } = link(each, 'coulombcore');
      return state === 'backoff' && last_error?.code === 'connect_refused';
    });
    expect(link(status, 'middle').state).toBe('up');
    expect(tunnelOf(status, ECHO).reason).toBe(
      `no SSH session to coulombcore: 127.0.0.1:${inner.port} refused the connection from jump host middle`,
    );
    await inner.restart();
    await mesh.waitForTunnel('up');
  });
});
