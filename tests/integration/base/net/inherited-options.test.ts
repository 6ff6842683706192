import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { inheritOptions } from '../../../../src/base/net/inherited-options.ts';
import { SERVER_OPTIONS } from '../../../../src/base/net/listener.ts';
import { keepaliveSeconds } from '../../../support/machine/keepalive-timer.ts';
import { listen } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** A server whose connections close at once, until `keep` is set. */
async function startServer() {
  const state = { keep: false, accepted: 0, kept: [] as Socket[] };
  const server = createServer(SERVER_OPTIONS, (socket) => {
    state.accepted += 1;
    socket.on('error', () => {});
    if (state.keep) state.kept.push(socket);
    else socket.destroy();
  });
  const port = await listen(server);
  const stop = async () => {
    for (const socket of state.kept) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server: server as Server & { keepAlive: boolean }, port, state, [Symbol.asyncDispose]: stop };
}

const come = (port: number) => once(connect({ host: '127.0.0.1', port }).resume(), 'close');

describe(inheritOptions, () => {
  it.runIf(process.platform === 'linux')(
    'gives connections the options after those that the backlog held',
    async () => {
      await using line = await startServer();
      const { server, port, state } = line;
      inheritOptions(server, 2);
      await come(port);
      expect(server.keepAlive).toBe(true);
      await come(port);
      // No option is set for a connection any more, so the timer of this one is inherited.
      expect(server.keepAlive).toBe(false);
      state.keep = true;
      const client = connect({ host: '127.0.0.1', port });
      await waitUntil('the connection has its keepalive timer', () => {
        const [seconds] = keepaliveSeconds({ local: port });
        return seconds !== undefined && seconds > 100 && seconds <= 120;
      });
      client.destroy();
    },
  );

  it('leaves the options to the server when a part of Node is missing', async () => {
    await using line = await startServer();
    const { server, port, state } = line;
    Object.defineProperty((server as unknown as { _handle: object })._handle, 'setKeepAlive', { value: undefined });
    inheritOptions(server);
    expect([server.listenerCount('connection'), server.keepAlive]).toEqual([1, true]);
    state.keep = true;
    const client = connect({ host: '127.0.0.1', port });
    await waitUntil('the connection is accepted', () => state.accepted === 1);
    client.destroy();
  });
});
