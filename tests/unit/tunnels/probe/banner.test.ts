import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { probeBanner } from '../../../../src/tunnels/probe/banner.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

const check = { kind: 'banner', prefix: 'SSH-2.0' } as const;
const never = new AbortController().signal;

async function probe(serve: (socket: Socket) => void, signal = never): Promise<void> {
  await using server = await TcpServer.listen(serve);
  const source = new SocketChannelSource();
  try {
    await probeBanner(source, server.address, check, signal);
  } finally {
    expect(source.allClosed).toBe(true);
    const [channel] = source.channels;
    expect(channel?.stream.listenerCount('data')).toBe(0);
  }
}

test('passes on the prefix, although more bytes come and the connection stays open', async () => {
  await probe((socket) => socket.write(`SSH-2.0-OpenSSH_9.2p1\r\n${'x'.repeat(100_000)}`));
});

test('passes when the banner comes byte by byte', async () => {
  await probe((socket) => {
    const bytes = [...'SSH-2.0'];
    const next = () => {
      const byte = bytes.shift();
      if (byte !== undefined) socket.write(byte, () => setImmediate(next));
    };
    next();
  });
});

test.each([
  [
    'another banner',
    'HTTP/1.1 400 Bad Request\r\n',
    'the banner is "HTTP/1.1 400 Bad Request ", expected it to start with "SSH-2.0"',
  ],
  ['one that differs later', 'SSH-1.99-old\n', 'the banner is "SSH-1.99-old ", expected it to start with "SSH-2.0"'],
])('%s is told', async (_, banner, message) => {
  await expect(probe((socket) => socket.write(banner))).rejects.toMatchObject({ code: 'target_unreachable', message });
});

test.each([
  ['', 'the target closed the connection without a banner, expected a banner that starts with "SSH-2.0"'],
  ['SSH', 'the target closed the connection after "SSH", expected a banner that starts with "SSH-2.0"'],
])('an end after %j is told', async (banner, message) => {
  await expect(probe((socket) => socket.end(banner))).rejects.toMatchObject({ code: 'target_unreachable', message });
});

test('treats a reset like an end', async () => {
  await expect(probe((socket) => setTimeout(() => socket.resetAndDestroy(), 20))).rejects.toMatchObject({
    code: 'target_unreachable',
  });
});

test('ends at the deadline when the target says no more', async () => {
  const deadline = new AbortController();
  const expire = () => deadline.abort(new DOMException('too late', 'TimeoutError'));
  const probed = probe((socket) => void socket.write('SSH', () => setTimeout(expire, 20)), deadline.signal);
  await expect(probed).rejects.toMatchObject({ name: 'TimeoutError' });
});
