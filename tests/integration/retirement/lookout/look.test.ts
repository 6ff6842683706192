import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { look } from '../../../../src/retirement/lookout/look.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { freePort, listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

let baseline: Holdings;
beforeEach(async () => {
  baseline = await takeBaseline(50);
});
afterEach(() => expectNoLeaks(baseline));

const never = new AbortController().signal;
const at = (port: number) => look({ address: '127.0.0.1', port }, never);

describe(look, () => {
  it('finds a host that sends a banner, and sends nothing', async () => {
    let received = 0;
    await using server = await listenLoopback((socket) => {
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      socket.on('end', () => socket.end());
      socket.write('welcome\r\nSSH-2.0-Test_1\r\n');
    });
    expect(await at(server.port)).toEqual({
      state: 'reachable',
      code: null,
      reason: 'the host accepted a connection: banner "SSH-2.0-Test_1"',
    });
    await waitUntil('the connection is gone', () => server.sockets.size === 0 || undefined);
    expect(received).toBe(0);
  });

  it.each([
    ['closes', (socket: Socket) => socket.end(), ': no SSH banner'],
    ['resets', (socket: Socket) => socket.resetAndDestroy(), ''],
    ['sends without an end', (socket: Socket) => socket.write('x'.repeat(5_000)), ': no SSH banner'],
  ] as const)('finds a host that %s', async (_, behave, said) => {
    await using server = await listenLoopback((socket) => behave(socket));
    expect(await at(server.port)).toMatchObject({
      state: 'reachable',
      reason: expect.stringContaining(`the host accepted a connection${said}`),
    });
  });

  it('finds no host on a closed port', async () => {
    expect(await at(await freePort())).toMatchObject({ state: 'unreachable', code: 'connect_refused' });
  });

  it('ends at once when its signal aborts', async () => {
    await using server = await listenLoopback(() => {});
    const over = new AbortController();
    const looking = look({ address: '127.0.0.1', port: server.port }, over.signal);
    await waitUntil('the look is connected', () => server.sockets.size === 1 || undefined);
    over.abort(new Error('stopping'));
    await expect(looking).rejects.toThrow('stopping');
  });
});
