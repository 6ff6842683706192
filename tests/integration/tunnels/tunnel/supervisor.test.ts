import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen } from '../../../../src/base/net/listener.ts';
import type { Config, HostConfig, TunnelConfig } from '../../../../src/config/config.ts';
import { diffConfig } from '../../../../src/config/diff.ts';
import type { Happening } from '../../../../src/telemetry/happening.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics/metrics.ts';
import { Junction } from '../../../../src/tunnels/forward/junction.ts';
import { Supervisor } from '../../../../src/tunnels/tunnel/supervisor.ts';
import { actorOf, hostOf, loopback, prepareByKey } from '../../../support/clients/ssh-session.ts';
import { linkFixture } from '../../../support/fakes/status-fixture.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { freePort, type LoopbackServer } from '../../../support/peers/loopback.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

const never = new AbortController().signal;
/** One for all: each holds on to standard error. */
const log = createLogger({ level: 'fatal' });
let baseline: Holdings;
let sshd: EmbeddedSshd;
let echo: LoopbackServer;
let supervisor: Supervisor;
let noted: Happening[];
let config: Config;
const sockets: Socket[] = [];

function tunnel(
  name: string,
  port: number,
  differently: Partial<TunnelConfig & { direction: 'local' }> = {},
): TunnelConfig {
  return {
    name,
    host: 'coulombcore',
    actor: 'atm-fleet-mesh',
    direction: 'local',
    listen: loopback(port),
    target: loopback(echo.port),
    production: true,
    note: undefined,
    whileDown: { kind: 'hold', holdMs: 5_000, limit: 16, abortOnClose: false },
    maxConnections: 16,
    probe: undefined,
    ...differently,
  };
}

function configOf(tunnels: readonly TunnelConfig[], hosts: readonly HostConfig[] = [hostOf(sshd)]): Config {
  return {
    path: '/nowhere/tunnels.yaml',
    sha256: '',
    node: 'railiance01',
    endpoint: { listen: { kind: 'tcp', host: '127.0.0.1', port: 9780 }, allowRemote: false },
    controlSocket: '/nowhere/control.sock',
    stateDir: '/nonexistent',
    stopGraceMs: 0,
    logLevel: 'fatal',
    logFormat: 'json',
    notify: [],
    listsTunnels: true,
    hosts: new Map(hosts.map((host) => [host.name, host])),
    actors: new Map([['atm-fleet-mesh', actorOf(sshd)]]),
    tunnels: new Map(tunnels.map((each) => [each.name, each])),
  };
}

async function start(...tunnels: TunnelConfig[]): Promise<void> {
  config = configOf(tunnels);
  await supervisor.start(config);
}

async function reload(next: Config): Promise<void> {
  await supervisor.apply(next, diffConfig(config, next));
  config = next;
}

/** A client that has proven its way through the tunnel, and can do so again. */
async function client(port: number): Promise<{ socket: Socket; say(text: string): Promise<string> }> {
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
  sockets.push(socket);
  const say = async (text: string) => {
    socket.write(text);
    const [answer] = await within('the echo answers', once(socket, 'data'));
    return String(answer);
  };
  expect(await say('first')).toBe('first');
  return { socket, say };
}

const status = (name: string) => supervisor.tunnels().find((each) => each.name === name);
const refused = async (port: number) => {
  const socket = connect({ host: '127.0.0.1', port });
  const [error] = await once(socket, 'error');
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
};

beforeEach(async () => {
  baseline = await takeBaseline(50);
  sshd = await startEmbeddedSshd();
  echo = await startEcho();
  noted = [];
  supervisor = new Supervisor({
    prepare: prepareByKey,
    credential: () => linkFixture().credential,
    metrics: createMetrics(),
    note: (happening) => void noted.push(happening),
    entranceOf: () => ({ listen, junction: new Junction() }),
    log,
    random: Math.random,
  });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await supervisor.stop(0, never);
  await echo.stop();
  await sshd[Symbol.asyncDispose]();
  await expectNoLeaks(baseline);
});

describe('a reload', () => {
  it('keeps every connection of unchanged and of relabelled tunnels at a reload', async () => {
    const [a, b] = [await freePort(), await freePort()];
    await start(tunnel('one', a), tunnel('two', b));
    const [one, two] = [await client(a), await client(b)];
    await waitUntil('both sessions are up', () => sshd.connections.size === 2);
    await reload(configOf([tunnel('one', a), tunnel('two', b, { note: 'new', production: false, maxConnections: 3 })]));
    expect(await one.say('still')).toBe('still');
    expect(await two.say('here')).toBe('here');
    expect(sshd.accepted()).toBe(2);
    expect(status('two')).toMatchObject({ note: 'new', production: false });
  });

  it('notes that a tunnel is another one when its target, host or listener changes, and only then', async () => {
    await using other = await startEcho();
    const [a, b] = [await freePort(), await freePort()];
    await start(tunnel('one', a));
    const changed = () => noted.filter(({ event }) => event === 'tunnel.changed').length;
    await reload(configOf([tunnel('one', a, { note: 'new', maxConnections: 3 })]));
    expect(changed()).toBe(0);
    await reload(configOf([tunnel('one', a, { target: loopback(other.port) })]));
    expect(changed()).toBe(1);
    await reload(configOf([tunnel('one', b, { target: loopback(other.port) })]));
    expect(changed()).toBe(2);
  });

  it('swaps the listen addresses of two tunnels, and keeps the connections of both', async () => {
    await using other = await startEcho();
    const [a, b] = [await freePort(), await freePort()];
    await start(tunnel('one', a), tunnel('two', b, { target: loopback(other.port) }));
    const [one, two] = [await client(a), await client(b)];
    await reload(configOf([tunnel('one', b), tunnel('two', a, { target: loopback(other.port) })]));
    expect(supervisor.unbound).toEqual([]);
    expect([await one.say('1'), await two.say('2')]).toEqual(['1', '2']);
    const before = other.accepted();
    await client(a);
    expect(other.accepted()).toBe(before + 1);
  });

  it('sends only new connections to a new target', async () => {
    await using other = await startEcho();
    const port = await freePort();
    await start(tunnel('one', port));
    const old = await client(port);
    await reload(configOf([tunnel('one', port, { target: loopback(other.port) })]));
    await client(port);
    expect([echo.accepted(), other.accepted()]).toEqual([1, 1]);
    expect(await old.say('still')).toBe('still');
  });

  it('accepts no new clients on a removed tunnel, and ends its link with its last connection', async () => {
    const port = await freePort();
    await start(tunnel('one', port));
    const last = await client(port);
    await reload(configOf([]));
    expect(await refused(port)).toBe(true);
    expect(status('one')).toMatchObject({ state: 'draining' });
    expect(await last.say('still')).toBe('still');
    await supervisor.tick(new Date());
    expect(supervisor.links()).toHaveLength(1);
    last.socket.destroy();
    await waitUntil('it is gone', () => supervisor.tunnels().length === 0);
    await waitUntil('its channel is gone', async () => {
      await supervisor.tick(new Date());
      return supervisor.links().length === 0;
    });
    await waitUntil('its sessions are gone', () => sshd.connections.size === 0);
  });

  it('shows one row with all clients for a removed tunnel and a new one of the same name', async () => {
    const [a, b] = [await freePort(), await freePort()];
    await start(tunnel('one', a));
    const last = await client(a);
    await reload(configOf([]));
    await reload(configOf([tunnel('one', b)]));
    await client(b);
    expect(supervisor.tunnels().map(({ name, state, usage }) => [name, state, usage.open])).toEqual([['one', 'up', 2]]);
    expect(supervisor.usageOf('one')).toMatchObject({ open: 2, opened_total: 2 });
    expect(supervisor.usageOf('two')).toBeUndefined();
    expect(await last.say('still')).toBe('still');
  });

  it('gives a removed tunnel’s address to another one at once', async () => {
    const port = await freePort();
    await start(tunnel('one', port));
    const last = await client(port);
    await reload(configOf([tunnel('two', port)]));
    await client(port);
    expect(await last.say('still')).toBe('still');
    expect(status('two')?.usage.open).toBe(1);
  });

  it('uses the new host settings when a tunnel returns over a link that a removed tunnel kept', async () => {
    await using moved = await startEmbeddedSshd();
    const [a, b] = [await freePort(), await freePort()];
    await start(tunnel('one', a));
    const last = await client(a);
    await reload(configOf([]));
    const next = configOf([tunnel('two', b)], [hostOf(moved)]);
    // Another server knows another key of ours.
    await reload({ ...next, actors: new Map([['atm-fleet-mesh', actorOf(moved)]]) });
    await waitUntil('the new server is connected', () => moved.connections.size === 2);
    await client(b);
    // The server before has its first client only; a new session may prove itself with a channel as well.
    expect(sshd.channelRequests()).toHaveLength(1);
    expect(moved.channelRequests().length).toBeGreaterThan(0);
    expect(await last.say('still')).toBe('still');
  });

  it('keeps a link that a reload needs again while others end', async () => {
    const [a, b] = [await freePort(), await freePort()];
    const hosts = [hostOf(sshd), { ...hostOf(sshd), name: 'second' }];
    config = configOf([tunnel('one', a), tunnel('two', b, { host: 'second' })], hosts);
    await supervisor.start(config);
    await waitUntil('both links are up', () => supervisor.links().every(({ state }) => state === 'up'));
    await reload(configOf([], hosts));
    await waitUntil('both tunnels are gone', () => supervisor.tunnels().length === 0);
    const ticking = supervisor.tick(new Date());
    await reload(configOf([tunnel('three', b, { host: 'second' })], hosts));
    await ticking;
    expect(supervisor.links().map(({ host }) => host)).toEqual(['second']);
    await client(b);
  });
});

it('is listed once every tunnel of the start has a status, and not before', async () => {
  const listed = supervisor.listed.then(() => supervisor.tunnels().length);
  expect(await Promise.race([listed, new Promise((resolve) => setImmediate(resolve, 'not yet'))])).toBe('not yet');
  await start(tunnel('one', await freePort()), tunnel('two', await freePort()));
  expect(await listed).toBe(2);
});

describe('a tunnel', () => {
  it('reports a tunnel whose address is taken, serves the others, and binds the address once free', async () => {
    const [a, b] = [await freePort(), await freePort()];
    const squatter = await startEcho(a);
    await start(tunnel('one', a), tunnel('two', b));
    await client(b);
    expect(supervisor.unbound).toEqual([expect.stringContaining('one:')]);
    expect(status('one')).toMatchObject({ state: 'down', last_error: { code: 'listen_in_use' } });
    await squatter.stop();
    await waitUntil('it is bound', () => supervisor.unbound.length === 0, 8_000);
  });

  it('starts a tunnel without delay while the host of another is unreachable', async () => {
    const [a, b] = [await freePort(), await freePort()];
    const away: HostConfig = { ...hostOf(sshd), name: 'away', port: 1 };
    config = configOf([tunnel('one', a, { host: 'away' }), tunnel('two', b)], [hostOf(sshd), away]);
    await supervisor.start(config);
    await client(b);
    await waitUntil('the first is down', () => status('one')?.state === 'down');
    expect(status('one')?.reason).toMatch(/no SSH session to away/);
  });
});

describe('stop', () => {
  it('lets connections finish within the grace period of a stop', async () => {
    const port = await freePort();
    await start(tunnel('one', port));
    const last = await client(port);
    const stopping = supervisor.stop(5_000, never);
    expect(await last.say('still')).toBe('still');
    last.socket.end();
    await within('it stops', stopping, 2_000);
  });

  it('resets open connections at a forced stop', async () => {
    const port = await freePort();
    await start(tunnel('one', port));
    const last = await client(port);
    const closed = new Promise((resolve) => last.socket.once('close', resolve));
    const force = new AbortController();
    const stopping = supervisor.stop(60_000, force.signal);
    force.abort();
    await within('it stops', stopping, 2_000);
    await closed;
  });
});
