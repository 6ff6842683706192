import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { type RelayEnd, relay } from '../../../../src/tunnels/forward/relay.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

/** A channel whose window is closed until the test opens it. */
class StuckChannel implements Channel {
  readonly taken: string[] = [];
  closed = false;
  lose: (complete: boolean) => void = () => {};
  #release: (() => void) | undefined;
  readonly stream = new Duplex({
    read() {},
    write: (chunk: Buffer, _, done) => {
      this.#release = () => {
        this.taken.push(String(chunk));
        done();
      };
    },
  });

  onLost(callback: (complete: boolean) => void): void {
    this.lose = callback;
  }

  close(): void {
    this.closed = true;
  }

  release(): void {
    this.#release?.();
  }
}

let baseline: Holdings;
let server: LoopbackServer;
let client: Socket;
let channel: StuckChannel;
let stop: AbortController;
let relayed: Promise<RelayEnd>;

beforeEach(async () => {
  baseline = await takeBaseline(50);
  channel = new StuckChannel();
  stop = new AbortController();
  server = await listenLoopback((socket) => {
    relayed = relay(socket, channel, stop.signal);
  });
  client = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true }).on('error', () => {});
  await once(client, 'connect');
  await waitUntil('it is relayed', () => server.sockets.size === 1);
});
afterEach(async () => {
  client.destroy();
  await server.stop();
  await expectNoLeaks(baseline);
});

describe('a client whose last bytes wait for the window', () => {
  beforeEach(async () => {
    channel.stream.push('the answer');
    channel.stream.push(null);
    client.resume().end('the last bytes');
    await waitUntil('its connection is over', () => server.sockets.size === 0);
  });

  it('delivers the last bytes of a client before the channel closes', async () => {
    expect(channel.closed).toBe(false);
    channel.release();
    expect(await within('it ends', relayed)).toBe('finished');
    expect(channel.taken).toEqual(['the last bytes']);
    expect(channel.closed).toBe(true);
  });

  it('stops at once while the last bytes of a client wait', async () => {
    stop.abort();
    await within('it ends', relayed);
    expect(channel.closed).toBe(true);
  });

  it('ends with the session while the last bytes of a client wait', async () => {
    channel.lose(true);
    expect(await within('it ends', relayed)).toBe('session_lost');
  });
});

it('drops the waiting bytes of a client that resets', async () => {
  client.write('half a');
  await waitUntil('it has arrived', () => channel.stream.writableLength > 0);
  client.resetAndDestroy();
  expect(await within('it ends', relayed)).toBe('client_reset');
  expect(channel).toMatchObject({ closed: true, taken: [] });
});

it('resets the client at a stop', async () => {
  stop.abort();
  await within('it ends', relayed);
  await new Promise((resolve) => client.once('close', resolve));
  expect(channel.closed).toBe(true);
});
