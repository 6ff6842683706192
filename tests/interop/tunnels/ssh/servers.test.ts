import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { bulkDigest, exchangeBulk, startBulkServer } from '../../../support/clients/bulk.ts';
import { socksConnect } from '../../../support/clients/socks-client.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, linkOf, type Mesh, sessionIds, startMesh, tunnelOf } from '../../../support/daemon/mesh.ts';
import { patient } from '../../../support/patience.ts';
import { FaultProxy } from '../../../support/peers/fault-proxy.ts';
import { CHECKS, type Check } from '../../../support/peers/lab/checks.ts';
import type { LabServer } from '../../../support/peers/lab/server.ts';
import { LAB, type LabRow } from '../../../support/peers/lab/servers.ts';
import { freePort, type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';
import { startAnswerAfterEnd, startEcho, startHalfCloser, startResetter } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

const MB = 1_000_000;
const BULK_BYTES = 100 * MB;
/** A busy server in Python may be silent for long. */
const KEEPALIVE = { every: '500ms', lost_after: 60 };
/** Silence for many keepalives, in milliseconds. */
const IDLE_MS = 60_000;

interface Lab extends AsyncDisposable {
  readonly row: LabRow;
  readonly server: LabServer;
  readonly proxy: FaultProxy;
  readonly mesh: Mesh;
  readonly targets: Targets;
  /** A connection through the echo tunnel without any byte since the start. */
  readonly silent: Socket;
  /** The sessions at the start. */
  readonly first: number[];
  readonly startedAt: number;
}

type Targets = Awaited<ReturnType<typeof startTargets>>;

/** In their order; the checks of one stage run at once. */
const STAGES: readonly (readonly Exclude<Check, 'ourRekey' | 'theirRekey'>[])[] = [
  // Alone: paramiko stands still if a channel closes during an exchange of keys, of which the bytes cause many.
  ['local'],
  ['remote'],
  ['dynamic', 'halfClose', 'reset', 'refused'],
  ['idle'],
  ['cut'],
  ['killed'],
  ['rebind'],
];

const RUN: Readonly<Record<(typeof STAGES)[number][number], (lab: Lab) => Promise<void>>> = {
  local: async ({ row, mesh, targets: { bulk } }) => {
    if (row.rekeyBytes !== undefined) expect(BULK_BYTES).toBeGreaterThan(5 * row.rekeyBytes);
    await expectExchange(mesh.port('bulk'), bulk, BULK_BYTES);
  },
  dynamic: async ({ mesh, targets: { echo } }) => {
    const socket = await socksConnect({ host: '127.0.0.1', port: mesh.port('proxy') }, '127.0.0.1', echo.port);
    await expectEcho(socket, 'through SOCKS5');
    socket.destroy();
  },
  remote: async ({ mesh, targets: { lesser } }) => {
    await mesh.waitForTunnel('up', 'back');
    await expectExchange(mesh.port('back'), lesser, 5 * MB);
  },
  halfClose: async ({ mesh, targets: { ending } }) => {
    const first = clientOf(mesh.port('answering'));
    first.end('asked');
    expect(await textOf(first)).toBe('asked, answered');
    const last = clientOf(mesh.port('ending'));
    expect(await textOf(last)).toBe('bye');
    last.end('still said');
    expect(await within('the target has it', ending.received())).toBe('still said');
  },
  reset: async ({ mesh, targets: { witness } }) => {
    const client = clientOf(mesh.port('witness'));
    client.write('here');
    const [socket] = await waitUntil(
      'the target has a client',
      () => witness.sockets.size === 1 && [...witness.sockets],
    );
    if (!socket) throw new Error('there is no connection');
    const ended = textOf(socket);
    client.resetAndDestroy();
    await within('the target sees the end', ended);
    const cut = clientOf(mesh.port('cutting'));
    // Some servers pass on the reset, which may overtake the text.
    await textOf(cut);
    cut.destroy();
  },
  refused: async ({ mesh }) => {
    await echoOnce(mesh.port('nobody'), 'nobody', patient(5_000)).catch(() => {});
    const status = await mesh.waitFor((each) => tunnelOf(each, 'nobody').last_error !== null);
    expect(tunnelOf(status, 'nobody').last_error?.code).toBe('target_refused');
  },
  idle: async ({ row, mesh, silent, first, startedAt }) => {
    await pause(Math.max(0, startedAt + IDLE_MS - performance.now()));
    await expectEcho(silent, 'after the silence');
    silent.destroy();
    const status = await mesh.daemon.status();
    expect(linkOf(status).sessions[0]?.server).toMatch(row.version);
    // Neither the bytes, nor the silence, nor the new keys cost a session.
    const lost = mesh.daemon.records().filter(({ event }) => event === 'session.lost');
    expect(sessionIds(status), JSON.stringify(lost)).toEqual(expect.arrayContaining(first));
  },
  cut: async ({ proxy, mesh }) => {
    proxy.reset();
    await expectAllServe(mesh);
  },
  killed: async ({ server, mesh }) => {
    await server.restart();
    await expectAllServe(mesh);
  },
  rebind: async ({ mesh, targets: { echo } }) => {
    const there = mesh.port('back');
    const elsewhere = await freePort();
    for (const [port, left] of [
      [elsewhere, there],
      [there, elsewhere],
    ] as const) {
      await mesh.write({ tunnels: { back: { direction: 'remote', listen: port, target: echo.port } } });
      await mesh.reload();
      await mesh.waitForTunnel('up', 'back', 20_000);
      await echoOnce(port, 'moved', patient(5_000));
      await waitUntil('the host releases the address', () => isRefused(left));
    }
  },
};

describe('the lab of servers', () => {
  it('has each of its checks in one stage, or in the tests of new keys', () => {
    expect([...STAGES.flat(), 'ourRekey', 'theirRekey'].sort()).toEqual(Object.keys(CHECKS).sort());
  });
});

const rows = await Promise.all(LAB.map(async (row) => ({ row, name: row.name, here: await row.here() })));

// At once: each server needs the minute of silence.
describe.concurrent.each(rows)('tunnels over $name', ({ row, here }) => {
  it.skipIf(!here)('carry bytes, end, fail, recover and move as the table of docs/servers.md says', async () => {
    await using lab = await startLab(row);
    const failed: Record<string, unknown> = {};
    for (const stage of STAGES) {
      await Promise.all(
        stage.map((check) =>
          RUN[check](lab).catch((error: unknown) => {
            failed[check] = error instanceof Error ? error.stack : error;
          }),
        ),
      );
    }
    expect(failed).toEqual({});
    process.stderr.write(`lab: ${row.name}: ${((performance.now() - lab.startedAt) / 1000).toFixed(1)} s\n`);
  });
});

async function startTargets() {
  return {
    bulk: await startBulkServer({ seed: 2, bytes: BULK_BYTES }),
    lesser: await startBulkServer({ seed: 2, bytes: 5 * MB }),
    echo: await startEcho(),
    answering: await startAnswerAfterEnd((text) => `${text}, answered`),
    ending: await startHalfCloser('bye'),
    witness: await listenLoopback((socket) => void socket.resume()),
    cutting: await startResetter('before the reset'),
  };
}

async function startLab(row: LabRow): Promise<Lab> {
  const owned: AsyncDisposable[] = [];
  const own = <T extends AsyncDisposable>(resource: T): T => {
    owned.unshift(resource);
    return resource;
  };
  const dispose = async () => {
    for (const resource of owned) await resource[Symbol.asyncDispose]();
  };
  try {
    const server = own(await row.start());
    const proxy = own(await FaultProxy.start(server.port));
    const targets = await startTargets();
    for (const target of Object.values<LoopbackServer>(targets)) own(target);
    const local = Object.entries(targets).map(([name, { port }]) => [name, { target: port }]);
    const mesh = own(
      await startMesh({
        sshd: server,
        // The host key is known under the port of the server, not of the proxy.
        host: { port: proxy.port, known_hosts: knownAs(server, proxy.port), keepalive: KEEPALIVE },
        tunnels: {
          ...Object.fromEntries(local),
          nobody: { target: await freePort(), while_down: { hold: '1s' } },
          proxy: { direction: 'dynamic', allow: [`127.0.0.1:${targets.echo.port}`] },
          back: { direction: 'remote', target: targets.lesser.port },
        },
      }),
    );
    const first = sessionIds(await mesh.waitFor(hasSessions(2)));
    const silent = clientOf(mesh.port('echo'));
    await expectEcho(silent, 'before the silence');
    const startedAt = performance.now();
    return { row, server, proxy, mesh, targets, silent, first, startedAt, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** A known_hosts file with the key of the server for another port. */
function knownAs(server: LabServer, port: number): string {
  const path = join(server.directory, `known_hosts_${port}`);
  writeFileSync(path, readFileSync(server.knownHostsFile, 'utf8').replace(/^\S+/gm, `[127.0.0.1]:${port}`));
  return path;
}

type BulkTarget = Targets['bulk'];

/** The client sends `bytes`; the target sends its own plan. */
async function expectExchange(port: number, target: BulkTarget, bytes: number): Promise<void> {
  const there = { seed: 1, bytes };
  const [sent, got] = await Promise.all([target.received(), exchangeBulk(port, there)]);
  expect(sent).toEqual({ ...bulkDigest(there), end: 'fin' });
  expect(got).toEqual({ ...bulkDigest(target.plan), end: 'fin' });
}

/** A client that ends by itself, and bears a reset. */
function clientOf(port: number): Socket {
  return connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => {});
}

async function expectEcho(socket: Socket, text: string): Promise<void> {
  const answer = once(socket, 'data');
  socket.write(text);
  expect(String((await within('an answer', answer))[0])).toBe(text);
}

async function expectAllServe(mesh: Mesh): Promise<void> {
  await echoOnce(mesh.port('echo'), 'again', patient(15_000));
  await mesh.waitForTunnel('up', 'back', 20_000);
}

async function textOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  await within('the other side ends', new Promise((resolve) => socket.once('end', resolve).once('close', resolve)));
  return text;
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}
