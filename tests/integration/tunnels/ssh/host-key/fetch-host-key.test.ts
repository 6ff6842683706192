import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dial } from '../../../../../src/tunnels/ssh/dial.ts';
import { fetchHostKey } from '../../../../../src/tunnels/ssh/host-key/fetch-host-key.ts';
import { plainPacket } from '../../../../../src/tunnels/ssh/plain-packets.ts';
import { fingerprint } from '../../../../../src/tunnels/ssh/public-key.ts';
import { never } from '../../../../support/clients/ssh-session.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../../support/peers/embedded-sshd.ts';
import { listenLoopback } from '../../../../support/peers/loopback.ts';

const PLAIN = ['ssh-ed25519'];

async function fetchFrom(port: number, algorithms = PLAIN, timeoutMs = 2_000, signal = never) {
  const socket = await dial({ host: '127.0.0.1', port, timeoutMs: 20_000 }, never);
  try {
    return await fetchHostKey(socket, algorithms, { peer: 'test', timeoutMs }, signal);
  } finally {
    expect(socket.destroyed).toBe(true);
  }
}

describe('what a server presents', () => {
  let sshd: EmbeddedSshd;
  beforeEach(async () => {
    sshd = await startEmbeddedSshd();
  });
  afterEach(() => sshd[Symbol.asyncDispose]());

  it('fetches a host key without a login', async () => {
    const blob = await fetchFrom(sshd.port);
    expect(blob && fingerprint(blob)).toBe(sshd.hostKeyFingerprint);
    expect(sshd.authAttempts()).toBe(0);
  });

  it('returns nothing when the server has none of the algorithms', async () => {
    expect(await fetchFrom(sshd.port, ['ssh-ed25519-cert-v01@openssh.com'])).toBeUndefined();
  });
});

describe('a server that misbehaves', () => {
  const IDENT = 'SSH-2.0-test\r\n';
  const kexInit = Buffer.concat([
    Buffer.of(20),
    Buffer.alloc(16),
    ...['curve25519-sha256', PLAIN[0] ?? '', 'aes128-ctr', 'aes128-ctr', 'hmac-sha2-256', 'hmac-sha2-256'].map(
      (names) => Buffer.concat([Buffer.of(0, 0, 0, names.length), Buffer.from(names)]),
    ),
  ]);
  const play: Record<string, [greet: (socket: Socket) => void, code: string, message: RegExp]> = {
    'says nothing': [() => {}, 'connect_timeout', /sent no SSH banner within 200 ms/],
    'closes immediately': [(socket) => socket.end(), 'connection_reset', /before the SSH banner/],
    resets: [
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
      'connection_reset',
      /before the SSH banner/,
    ],
    'speaks HTTP': [(socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'kex_failed', /is not an SSH server/],
    'refuses the address temporarily': [
      (socket) => socket.end('Not allowed at this time\r\n'),
      'penalised',
      /temporarily refuses the address of this node/,
    ],
    'never ends its greeting': [(socket) => socket.write('x\r\n'.repeat(9_000)), 'kex_failed', /is not an SSH server/],
    'stops after its identification': [
      (socket) => socket.write(IDENT),
      'kex_failed',
      /did not finish the key exchange/,
    ],
    'closes after its identification': [(socket) => socket.end(IDENT), 'connection_reset', /during the key exchange/],
    'sends a packet of 4 GB': [
      (socket) => socket.write(`${IDENT}\xff\xff\xff\xff`, 'latin1'),
      'kex_failed',
      /impossible length/,
    ],
    'sends padding alone': [
      (socket) => socket.write(Buffer.concat([Buffer.from(IDENT), Buffer.of(0, 0, 0, 12, 255), Buffer.alloc(11)])),
      'kex_failed',
      /impossible padding/,
    ],
    'cuts its offer short': [
      (socket) => socket.write(Buffer.concat([Buffer.from(IDENT), plainPacket(kexInit.subarray(0, 30))])),
      'kex_failed',
      /cut short/,
    ],
    'disconnects with a message': [
      (socket) => socket.write(Buffer.concat([Buffer.from(IDENT), plainPacket(Buffer.of(1, 0, 0, 0, 2))])),
      'connection_reset',
      /ended the connection/,
    ],
    'never answers the exchange': [
      (socket) => socket.write(Buffer.concat([Buffer.from(IDENT), plainPacket(Buffer.of(2)), plainPacket(kexInit)])),
      'kex_failed',
      /did not finish the key exchange within 200 ms/,
    ],
  };
  it.each(Object.entries(play))('names the error of a server that %s', async (_, [greet, code, message]) => {
    const server = createServer((socket) => greet(socket.on('error', () => {}).resume()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    try {
      await expect(fetchFrom(port, PLAIN, 200)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    } finally {
      server.close();
    }
  });

  it('ends with protocol_error when the server sends messages to ignore without end', async () => {
    const ignored = Buffer.concat(Array.from({ length: 1_000 }, () => plainPacket(Buffer.of(2, 0, 0, 0, 0))));
    await using server = await listenLoopback((socket) => {
      socket.resume().write(IDENT);
      const more = () => {
        if (!socket.writable) return;
        if (socket.write(ignored)) setImmediate(more);
        else socket.once('drain', more);
      };
      more();
    });
    await expect(fetchFrom(server.port, PLAIN, 60_000)).rejects.toMatchObject({ code: 'protocol_error' });
  });

  it('rejects with the reason of an abort', async () => {
    const server = createServer((socket) => void socket.on('error', () => {}).resume());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const controller = new AbortController();
    const fetching = fetchFrom(port, PLAIN, 5_000, controller.signal);
    setTimeout(() => controller.abort(new Error('stopping')), 20);
    await expect(fetching).rejects.toThrow('stopping');
    server.close();
  });
});
