import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Connection } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectSession, loopback, never, originator } from '../../../support/clients/ssh-session.ts';
import { CHANNEL_ATTACKS, FLOODS } from '../../../support/peers/attacks.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { freshServer } from '../../../support/peers/fresh-server.ts';
import { freePort, listenLoopback } from '../../../support/peers/loopback.ts';
import { message, type RawPeer, rawPeer } from '../../../support/peers/raw-peer.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil, within } from '../../../support/wait-until.ts';

let sshd: EmbeddedSshd;
let attack: (connection: Connection) => void = () => {};

freshServer(
  () => startEmbeddedSshd({ onLogin: (connection) => attack(connection) }),
  (started) => {
    attack = () => {};
    sshd = started;
  },
);

describe('a session with a hostile server', () => {
  it.each(Object.entries(FLOODS))('ends with protocol_error when the server floods it with %s', async (_, flood) => {
    const session = await connectSession(sshd);
    const [connection] = sshd.connections;
    if (connection) flood(rawPeer(connection));
    const { error } = await within('the session ends', session.closed);
    expect(error).toMatchObject({ code: 'protocol_error', retryable: true });
  });

  it.each(Object.entries(CHANNEL_ATTACKS))(
    'ends with protocol_error when the server sends %s',
    async (_, attackChannel) => {
      const session = await connectSession(sshd);
      await using echo = await startEcho();
      // Nobody reads the channel.
      const channel = await session.open(loopback(echo.port), originator, never);
      channel.stream.pause();
      const [connection] = sshd.connections;
      if (connection) attackChannel(rawPeer(connection), 0);
      const { error } = await within('the session ends', session.closed);
      expect(error).toMatchObject({
        code: 'protocol_error',
        message: expect.stringMatching(/floods the session|window/),
      });
    },
  );

  it.each([2, 11])(
    'takes the first goodbye of a server (reason %s), and keeps nothing for the others',
    async (reason) => {
      const warned = vi.fn();
      process.on('warning', warned);
      const session = await connectSession(sshd);
      const [connection] = sshd.connections;
      let goodbyes = 0;
      // The socket of the server stays open.
      if (connection) rawPeer(connection).flood(() => message(1, reason, `bye ${goodbyes++}`, ''));
      const { error } = await within('the session ends', session.closed);
      // A server that ends by choice has no error to tell.
      const says = reason === 11 ? /closed the SSH session$/ : /bye 0$/;
      expect(error).toMatchObject({ code: 'connection_reset', message: expect.stringMatching(says) });
      expect(goodbyes).toBeGreaterThan(100);
      // Warnings of too many listeners come a turn later.
      await setImmediate();
      process.off('warning', warned);
      expect(warned).not.toHaveBeenCalled();
    },
  );

  it('ends with protocol_error when the server accepts only packets without data', async () => {
    const session = await connectSession(sshd);
    await using echo = await startEcho();
    const [connection] = sshd.connections;
    const { _protocol: protocol } = connection as unknown as { _protocol: { channelOpenConfirm: Confirm } };
    type Confirm = (remote: number, local: number, window: number, packet: number) => void;
    const { channelOpenConfirm: confirm } = protocol;
    protocol.channelOpenConfirm = (remote, local, window) => confirm.call(protocol, remote, local, window, 0);
    await expect(session.open(loopback(echo.port), originator, never)).rejects.toMatchObject({
      code: 'protocol_error',
    });
    const { error } = await within('the session ends', session.closed);
    expect(error).toMatchObject({ code: 'protocol_error' });
  });
});

describe('an upload to a server with a tiny window', () => {
  /** An upload of `bytes` over a channel that the server opens with this window; then the server acts. */
  async function upload(window: number, bytes: number, act: (peer: RawPeer) => void) {
    const session = await connectSession(sshd);
    sshd.setChannels({ kind: 'ignore' });
    const [connection] = sshd.connections;
    if (!connection) throw new Error('there is no connection');
    const peer = rawPeer(connection);
    const opened = session.open(loopback(9), originator, never);
    await waitUntil('the server has the request', () => sshd.channelRequests().length === 1);
    peer.send(message(91, 0, 5, window, 32_768));
    const { stream } = await opened;
    stream.write(Buffer.alloc(bytes, 'x'));
    act(peer);
    return { session, stream };
  }

  it('ends with protocol_error when the server allows one byte at a time, as fast as possible', async () => {
    const { session } = await upload(100, 8_000_000, (peer) => peer.flood(() => message(93, 0, 1)));
    const { error } = await within('the session ends', session.closed);
    expect(error).toMatchObject({ code: 'protocol_error', message: expect.stringContaining('floods the session') });
  });

  it('goes on when an honest server allows a few bytes at a time', async () => {
    let allowed = 0;
    const { session, stream } = await upload(200, 4_000, (peer) => {
      while (allowed < 3_900) {
        peer.send(message(93, 0, 100));
        allowed += 100;
      }
    });
    await within('all bytes are sent', new Promise<void>((resolve) => void stream.write('end', () => resolve())));
    await session.end();
  });
});

describe('a session that listens at a hostile server', () => {
  // The guard allows thousands of connections a second: a busy machine would not send more than that.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  const connection = (port: number) =>
    message(90, 'forwarded-tcpip', 7, 2 * 1024 * 1024, 32_768, '127.0.0.1', port, '127.0.0.1', 6_000);

  it.each<[string, RegExp, (peer: RawPeer, port: number) => void]>([
    [
      'channels of another kind',
      /floods the session with messages/,
      (peer) => peer.flood(() => message(90, 'x11', 7, 9, 32_768, '127.0.0.1', 6_000)),
    ],
    [
      'connections to another listener',
      /floods the session with messages/,
      (peer, port) => peer.flood(() => connection(port + 1)),
    ],
    [
      'connections without end',
      /floods the session with connections/,
      (peer, port) => peer.flood(() => connection(port)),
    ],
    [
      'connections in a key exchange without end',
      /sends requests, but reads no answers/,
      (peer, port) => {
        peer.stopReading();
        peer.rekey(() => {});
        peer.flood(() => connection(port));
      },
    ],
  ])('ends with protocol_error when the server sends %s', async (_, says, attackListener) => {
    const session = await connectSession(sshd);
    const port = await freePort();
    const listener = session.listener(loopback(port), (incoming) => incoming.reject());
    await listener.bind(never);
    const [server] = sshd.connections;
    if (server) attackListener(rawPeer(server), port);
    const { error } = await within('the session ends', session.closed);
    expect(error).toMatchObject({ code: 'protocol_error', message: expect.stringMatching(says) });
    listener.release();
  });
});

describe('a login at a hostile server', () => {
  const speaking = (text: string) =>
    listenLoopback((socket) => {
      socket.on('error', () => {});
      const more = () => {
        if (!socket.writable) return;
        if (socket.write(text)) void setImmediate().then(more);
        else socket.once('drain', more);
      };
      more();
    });

  it.each([
    ['a line without an end', 'x'.repeat(500)],
    ['lines without an end', `${'x'.repeat(500)}\r\n`],
    ['short lines without an end', 'x\n'],
  ])('fails with protocol_error when the server sends %s before the banner', async (_, text) => {
    await using server = await speaking(text);
    const knownHostsFile = join(sshd.directory, 'known_hosts_of_all');
    writeFileSync(knownHostsFile, readFileSync(sshd.knownHostsFile, 'utf8').replace(/^\S+/, '*'));
    await expect(connectSession({ ...sshd, knownHostsFile, port: server.port })).rejects.toMatchObject({
      code: 'protocol_error',
    });
  });
});
