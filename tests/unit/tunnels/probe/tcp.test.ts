import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { probeTcp, type TcpCheck } from '../../../../src/tunnels/probe/tcp.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

async function probe(serve: (socket: Socket) => void, check: Omit<TcpCheck, 'kind'>): Promise<void> {
  await using server = await TcpServer.listen(serve);
  const source = new SocketChannelSource();
  try {
    await probeTcp(source, server.address, { kind: 'tcp', ...check }, new AbortController().signal);
  } finally {
    expect(source.allClosed).toBe(true);
  }
}

const answering = (answer: string) => (socket: Socket) => {
  socket.once('data', (asked) => socket.write(String(asked) === 'PING\r\n' ? answer : 'what?'));
};

test('sends the text and passes when the answer contains the expected text', async () => {
  await probe(answering('+PONG\r\n'), { send: 'PING\r\n', expect: 'PONG' });
});

test('finds an expected text that comes in pieces, and behind a greeting', async () => {
  const pieces = (socket: Socket) => {
    socket.write('220 hello\r\n250 PI');
    setTimeout(() => socket.write('PELINING\r\n'), 30);
  };
  await probe(pieces, { send: 'EHLO probe\r\n', expect: 'PIPELINING' });
});

test('expects without sending', async () => {
  await probe((socket) => void socket.write('ready'), { expect: 'ready' });
});

test('quotes the answer of a target that closes without the expected text', async () => {
  const closing = (socket: Socket) => void socket.end('-ERR no\r\n');
  await expect(probe(closing, { send: 'PING\r\n', expect: '+PONG' })).rejects.toThrow(
    /closed the connection after "-ERR no.*expected an answer that contains "\+PONG"/,
  );
  await expect(probe((socket) => socket.destroy(), { expect: 'x' })).rejects.toThrow('without an answer');
});

test('searches a bounded part of an endless answer', async () => {
  const endless = (socket: Socket) => void socket.write('x'.repeat(100_000));
  await expect(probe(endless, { expect: 'y' })).rejects.toThrow('the first 16 KiB of the answer do not contain "y"');
});

test('sends without expecting an answer', async () => {
  const got: string[] = [];
  await using server = await TcpServer.listen((socket) => socket.on('data', (chunk) => got.push(String(chunk))));
  const check = { kind: 'tcp', send: 'QUIT\r\n' } as const;
  await probeTcp(new SocketChannelSource(), server.address, check, new AbortController().signal);
  await expect.poll(() => got.join('')).toBe('QUIT\r\n');
});
