import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cleanup } from '../../../support/cleanup.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, type Mesh, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const LIMIT = 256;
/** Both limits: Node raises its soft one to the hard one. */
const LIMITED = ['/bin/sh', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'sh'];

interface Client {
  readonly socket: Socket;
  readonly echoed: () => boolean;
  readonly error: () => string | undefined;
}

function open(port: number): Client {
  const socket = connect({ host: '127.0.0.1', port });
  let echoed = false;
  let error: string | undefined;
  socket.on('error', ({ message }) => {
    error = message;
  });
  socket.on('data', () => {
    echoed = true;
  });
  socket.write('hello');
  return { socket, echoed: () => echoed, error: () => error };
}

describe.skipIf(!has('sshd') || !has('ssh-keygen') || !has('procfs'))('short of file descriptors', () => {
  let cleanup: Cleanup;
  beforeEach(() => {
    cleanup = new Cleanup();
  });
  afterEach(() => cleanup[Symbol.asyncDispose]());

  it('resets new connections without free descriptors, logs this once, keeps the rest working, and recovers', async () => {
    const sshd = cleanup.use(await startSshd());
    const echo = cleanup.use(await startEcho());
    const mesh: Mesh = cleanup.use(
      await startMesh({
        sshd,
        tunnels: { echo: { target: echo.port, probe: { tcp: {}, every: '500ms' } } },
        wrapper: LIMITED,
      }),
    );
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('up');
    const first = open(mesh.port('echo'));
    await waitUntil('the first is served', first.echoed);

    const clients = Array.from({ length: 2 * LIMIT }, () => open(mesh.port('echo')));
    await waitUntil('each is served or reset', () => clients.every(({ echoed, error }) => echoed() || error()), 10_000);
    const served = clients.filter(({ echoed }) => echoed());
    const refused = clients.filter(({ echoed }) => !echoed());
    expect(served.length).toBeGreaterThan(LIMIT / 2);
    expect(refused.length).toBeGreaterThan(LIMIT / 2);
    // Never a clean end: that would be an empty answer.
    expect(refused.map(({ error }) => error()).filter((error) => !error?.includes('ECONNRESET'))).toEqual([]);
    expect(await mesh.metric('accept_errors_total', { tunnel: 'echo' })).toBe(refused.length);
    const lines = () => mesh.daemon.records().filter(({ event }) => event === 'tunnel.accept_failed');
    expect(lines()).toHaveLength(1);

    // The endpoint answers, the probe passes, and sessions come back although not one descriptor is free for clients.
    const before = await mesh.waitFor(hasSessions(2));
    const ids = before.links.flatMap(({ sessions }) => sessions.map(({ id }) => id));
    sshd.killSessions();
    await mesh.waitFor(
      (status) =>
        hasSessions(2)(status) && status.links.every(({ sessions }) => sessions.every(({ id }) => !ids.includes(id))),
    );
    await mesh.waitForTunnel('up');
    expect(mesh.daemon.records().filter(({ level }) => level === 'error')).toHaveLength(1);

    for (const { socket } of [first, ...clients]) socket.destroy();
    await waitUntil('it serves again', () => echoOnce(mesh.port('echo')).catch(() => undefined));
  });

  it('keeps open connections without free descriptors', async () => {
    const sshd = cleanup.use(await startSshd());
    const echo = cleanup.use(await startEcho());
    const mesh = cleanup.use(await startMesh({ sshd, tunnels: { echo: { target: echo.port } }, wrapper: LIMITED }));
    await mesh.waitForTunnel('up');
    const clients = Array.from({ length: 2 * LIMIT }, () => open(mesh.port('echo')));
    await waitUntil('each is served or reset', () => clients.every(({ echoed, error }) => echoed() || error()), 10_000);
    const kept = clients.filter(({ echoed }) => echoed());
    await Promise.all(
      kept.map(async ({ socket }) => {
        const answer = once(socket, 'data');
        socket.write('again');
        expect(String(await answer)).toBe('again');
      }),
    );
    for (const { socket } of clients) socket.destroy();
  });
});
