import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dial } from '../../../../src/tunnels/ssh/dial.ts';
import { never } from '../../../support/clients/ssh-session.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { patient } from '../../../support/patience.ts';
import { startBlackHole } from '../../../support/peers/black-hole.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { startBanner } from '../../../support/peers/targets.ts';

let baseline: Holdings;

beforeEach(async () => {
  baseline = await takeBaseline(50);
});
afterEach(() => expectNoLeaks(baseline));

it('returns a connected socket without its own listeners', async () => {
  await using server = await startBanner();
  const socket = await dial({ host: '127.0.0.1', port: server.port, timeoutMs: 20_000 }, never);
  expect(socket.readyState).toBe('open');
  expect([socket.listenerCount('error'), socket.listenerCount('connect')]).toEqual([0, 0]);
  socket.destroy();
});

it('tries every address of a name', async () => {
  await using server = await startBanner();
  const socket = await dial({ host: 'localhost', port: server.port, timeoutMs: 20_000 }, never);
  expect(socket.remotePort).toBe(server.port);
  socket.destroy();
});

it.skipIf(!has('python3'))(
  'tries the next address of a name after a second without an answer, and while that one is silent too, waits for both',
  async () => {
    await using dead = await startBlackHole();
    const server = createServer((socket) => socket.end()).listen({ host: '127.0.0.2', port: dead.port });
    await once(server, 'listening');
    const names = { resolve: async () => ['127.0.0.1', '127.0.0.2'] };
    const from = performance.now();
    const socket = await dial({ host: 'two', port: dead.port, timeoutMs: 60_000 }, never, names);
    expect(socket.remoteAddress).toBe('127.0.0.2');
    expect(performance.now() - from).toBeLessThan(patient(2_000));
    socket.destroy();
    const both = { resolve: async () => ['127.0.0.2', '127.0.0.1'] };
    await once(server.close(), 'close');
    const dialling = dial({ host: 'two', port: dead.port, timeoutMs: 1_200 }, never, both);
    await expect(dialling).rejects.toMatchObject({
      code: 'connect_timeout',
      message: expect.stringContaining('127.0.0.1'),
    });
  },
);

it('ignores later errors of an abandoned socket', async () => {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown) => sockets.push((message as { socket: Socket }).socket);
  subscribe('net.client.socket', onSocket);
  const port = await freePort();
  await expect(dial({ host: '127.0.0.1', port, timeoutMs: 20_000 }, never)).rejects.toThrow('refused');
  unsubscribe('net.client.socket', onSocket);
  const given = sockets.find((socket) => socket.destroyed);
  // Without a listener this throws.
  expect(given?.emit('error', new Error('late'))).toBe(true);
});

it('reports a refused connection', async () => {
  const port = await freePort();
  await expect(dial({ host: '127.0.0.1', port, timeoutMs: 20_000 }, never)).rejects.toMatchObject({
    code: 'connect_refused',
    message: expect.stringContaining(`127.0.0.1 port ${port}`),
  });
});

it('reports a name that does not resolve', async () => {
  // Too long for a label, so no resolver is asked.
  const dialling = dial({ host: `${'x'.repeat(64)}.invalid`, port: 22, timeoutMs: 5_000 }, never);
  await expect(dialling).rejects.toMatchObject({ code: 'dns_failed' });
});

it('does not dial after an abort', async () => {
  const signal = AbortSignal.abort(new Error('stopping'));
  await expect(dial({ host: 'localhost', port: 22, timeoutMs: 20_000 }, signal)).rejects.toThrow('stopping');
});

it('stops a dial at an abort', async () => {
  await using server = await startBanner();
  const controller = new AbortController();
  const dialling = dial({ host: '127.0.0.1', port: server.port, timeoutMs: 20_000 }, controller.signal);
  queueMicrotask(() => controller.abort(new Error('stopping')));
  await expect(dialling).rejects.toThrow('stopping');
});
