import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Cleanup } from '../../../support/cleanup.ts';
import { startRequestLoop } from '../../../support/clients/request-loop.ts';
import { GREETING, socksRequest } from '../../../support/clients/socks-client.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, type Mesh, type MeshTunnel, sessionIds, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { type HungResolver, startHungResolver } from '../../../support/peers/hung-resolver.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** Less than the 10 s that one name freezes a session for, longer than the daemon used to wait for a sign of life. */
const WATCHED_MS = 8_000;

interface Lab {
  readonly mesh: Mesh;
  readonly resolver: HungResolver;
  /** Asks the dynamic tunnel for a name. */
  ask(name: string): Socket;
}

const present = async ({ daemon }: Mesh) => sessionIds(await daemon.status());

/** A connection that echoes as long as it lives. */
async function longLived(port: number): Promise<{ readonly echoes: () => Promise<boolean>; readonly socket: Socket }> {
  const socket = connect({ host: '127.0.0.1', port });
  let heard = '';
  socket
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
  const echoes = async () => {
    const word = `${heard.length};`;
    socket.write(word);
    await waitUntil('the long connection echoes', () => heard.endsWith(word) || socket.destroyed);
    return !socket.destroyed;
  };
  expect(await echoes()).toBe(true);
  return { echoes, socket };
}

describe.skipIf(!has('sshd') || !has('mount'))('a host whose resolver never answers', { concurrent: true }, () => {
  const start = async (
    cleanup: Cleanup,
    more: Readonly<Record<string, MeshTunnel>> = {},
    sessions = 2,
  ): Promise<Lab> => {
    const resolver = cleanup.use(await startHungResolver());
    const sshd = cleanup.use(await startSshd({ wrapper: resolver.wrapper(['localhost', 'db']) }));
    const echo = cleanup.use(await startEcho());
    const tunnels = {
      echo: { target: echo.port },
      named: { target: `db:${echo.port}` },
      socks: { direction: 'dynamic', allow: ['*:*'] },
      ...more,
    };
    const mesh = cleanup.use(await startMesh({ sshd, host: { sessions }, tunnels }));
    await mesh.waitFor(hasSessions(sessions));
    const ask = (name: string) => {
      const socket = connect({ host: '127.0.0.1', port: mesh.port('socks') });
      socket.on('error', () => {}).resume();
      socket.write(Buffer.concat([GREETING, socksRequest(name, 80)]));
      cleanup.use({ [Symbol.asyncDispose]: async () => void socket.destroy() });
      return socket;
    };
    return { mesh, resolver, ask };
  };

  it('loses no session while one name freezes it, and serves other tunnels at once', async () => {
    await using cleanup = new Cleanup();
    const { mesh, resolver, ask } = await start(cleanup);
    const long = await longLived(mesh.port('echo'));
    await echoOnce(mesh.port('named'));
    const before = await present(mesh);
    ask('frozen.test');
    await waitUntil('the name is asked for', () => resolver.asked().length > 0);
    const [addressed, named] = [startRequestLoop(mesh.port('echo'), 20), startRequestLoop(mesh.port('named'), 50)];
    await pause(WATCHED_MS);
    const results = [await addressed.stop(), await named.stop()];
    process.stderr.write(`frozen resolver: slowest ${results.map(({ slowestMs }) => Math.round(slowestMs))} ms\n`);
    for (const { failures, slowestMs } of results) {
      expect(failures).toEqual([]);
      expect(slowestMs).toBeLessThan(patient(1_000));
    }
    expect(await present(mesh)).toEqual(expect.arrayContaining(before));
    resolver.heal();
    expect(await long.echoes()).toBe(true);
    expect(await present(mesh)).toEqual(expect.arrayContaining(before));
    long.socket.destroy();
  });

  it('lets many names freeze one session at most, and tells each client in bounded time', async () => {
    await using cleanup = new Cleanup();
    const { mesh, resolver, ask } = await start(cleanup);
    await echoOnce(mesh.port('named'));
    const before = await present(mesh);
    const sockets = Array.from({ length: 20 }, (_, n) => ask(`frozen${n}.test`));
    await waitUntil('a name is asked for', () => resolver.asked().length > 0);
    const loop = startRequestLoop(mesh.port('echo'), 20);
    await pause(WATCHED_MS);
    const { failures, slowestMs } = await loop.stop();
    expect(failures).toEqual([]);
    expect(slowestMs).toBeLessThan(patient(1_000));
    expect(resolver.asked()).toHaveLength(1);
    expect(await present(mesh)).toEqual(expect.arrayContaining(before));
    await echoOnce(mesh.port('named'));
    resolver.heal();
    await waitUntil('each client has an answer', () => sockets.every(({ closed }) => closed), 12_000);
    expect(await present(mesh)).toEqual(expect.arrayContaining(before));
  });

  it('does not carry the name of a local tunnel to the other session, for any number of clients', async () => {
    await using cleanup = new Cleanup();
    const { mesh, resolver } = await start(cleanup, { gone: { target: 'gone.test:80' } });
    const before = await present(mesh);
    const clients = Array.from({ length: 50 }, () =>
      connect({ host: '127.0.0.1', port: mesh.port('gone') }).on('error', () => {}),
    );
    await waitUntil('the name is asked for', () => resolver.asked().length > 0);
    const loop = startRequestLoop(mesh.port('echo'), 20);
    await pause(WATCHED_MS);
    const { failures, slowestMs } = await loop.stop();
    expect(failures).toEqual([]);
    expect(slowestMs).toBeLessThan(patient(1_000));
    resolver.heal();
    await waitUntil('each client has an answer', () => clients.every(({ closed }) => closed), 12_000);
    expect(await present(mesh)).toEqual(expect.arrayContaining(before));
  });

  it('serves other tunnels over one more session while a name freezes the only one', async () => {
    await using cleanup = new Cleanup();
    const { mesh, resolver, ask } = await start(cleanup, {}, 1);
    const long = await longLived(mesh.port('echo'));
    const before = await present(mesh);
    ask('frozen.test');
    await waitUntil('the name is asked for', () => resolver.asked().length > 0);
    expect(await echoOnce(mesh.port('echo'))).toBeLessThan(patient(2_000));
    const loop = startRequestLoop(mesh.port('echo'), 20);
    await pause(2_000);
    const { failures, slowestMs } = await loop.stop();
    expect(failures).toEqual([]);
    expect(slowestMs).toBeLessThan(patient(500));
    resolver.heal();
    expect(await long.echoes()).toBe(true);
    await waitUntil('one session is left', async () => (await present(mesh)).join() === before.join());
    long.socket.destroy();
  });
});
