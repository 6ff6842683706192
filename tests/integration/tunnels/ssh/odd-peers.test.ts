import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byKey, login } from '../../../support/certificates/certified-login.ts';
import { embeddedKey } from '../../../support/peers/embedded-key.ts';
import { type EmbeddedSshd, startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';

let key: EmbeddedSshd;

beforeAll(async () => {
  key = await startEmbeddedSshd();
});
afterAll(() => key[Symbol.asyncDispose]());

/** The error of a login at the server. */
async function errorAt({ port }: LoopbackServer): Promise<unknown> {
  return login({ port, user: 'fleet' }, byKey(key)).then(
    async (session) => `logged in: ${await session.end()}`,
    (error: unknown) => error,
  );
}

const answering = (greeting: string) =>
  listenLoopback((socket: Socket) => void socket.once('data', () => socket.end(Buffer.from(greeting, 'latin1'))));

describe('a login at a port of something else names the service and the fix', () => {
  it.each([
    ['TLS', '\x15\x03\x01\x00\x02\x02\x46', /a TLS server \(HTTPS, for example\) says/, /port: a TLS server/],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', /an HTTP server says "HTTP\/1.1 400 Bad Request"/, /an HTTP server/],
    ['HTML', '<!DOCTYPE html><title>400</title>', /an HTTP server says/, /an HTTP server/],
    ['SMTP', '220 mx.example.net ESMTP\r\n', /a mail or FTP server says "220 mx.example.net ESMTP"/, /mail or FTP/],
    ['MySQL', 'J\0\0\0\x0a8.0.36\0', /a MySQL server says/, /a MySQL server/],
    ['PostgreSQL', 'E\0\0\0\x8eSFATAL\0', /a PostgreSQL server says/, /a PostgreSQL server/],
    ['an unknown service', 'hello\u001b[2J\r\n', /another service says "hello\\u001b\[2J"/, /another service answers/],
    ['SSH 1', 'SSH-1.5-Cisco-1.25\n', /speaks only SSH 1, which is insecure: "SSH-1.5-Cisco-1.25"/, /ip ssh version 2/],
  ])('%s', async (_, greeting, message, hint) => {
    await using server = await answering(greeting);
    const error = await errorAt(server);
    expect(error).toMatchObject({ code: 'kex_failed', message: expect.stringMatching(message) });
    expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });
});

/** A server of ssh2 that refuses every login with these methods. */
async function refusing(
  methods: ('password' | 'publickey' | 'keyboard-interactive')[],
  { partial = false, banner = '', ident = 'OpenSSH_9.2p1' } = {},
): Promise<LoopbackServer> {
  const server = new ssh2.Server({ hostKeys: [embeddedKey().private], ident, banner }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (context) => context.reject(methods, partial));
  });
  return listenLoopback((socket) => server.injectSocket(socket), { allowHalfOpen: false });
}

describe('a refused login', () => {
  it('at a server without keys says what the server wants', async () => {
    await using server = await refusing(['password', 'keyboard-interactive']);
    expect(await errorAt(server)).toMatchObject({
      code: 'auth_rejected',
      message: 'sshd accepts no keys of fleet: it wants password, keyboard-interactive',
      hint: expect.stringMatching(/keys and certificates only.*PubkeyAuthentication/),
    });
  });

  it('at a server with two factors says that the key was accepted', async () => {
    await using server = await refusing(['keyboard-interactive'], { partial: true });
    expect(await errorAt(server)).toMatchObject({
      code: 'auth_rejected',
      message: 'sshd accepted a certificate of fleet, and wants a second factor: keyboard-interactive',
      hint: expect.stringContaining('AuthenticationMethods publickey'),
    });
  });

  it('shows the banner of the server, as text', async () => {
    await using server = await refusing(['publickey'], { banner: 'Your account \u001b[2Jhas expired.\r\n' });
    const error = await errorAt(server);
    expect(error).toMatchObject({
      code: 'auth_rejected',
      hint: expect.stringMatching(
        /authorized_keys.* The banner of the server says: "Your account \\u001b\[2Jhas expired\."$/,
      ),
    });
  });

  it('at the end of a login by the server is still a rejection', async () => {
    await using server = await refusing(['publickey']);
    expect(await errorAt(server)).toMatchObject({
      code: 'auth_rejected',
      message: expect.stringContaining('rejected the login of fleet'),
    });
  });
});

it.each([
  ['', 'x', 'SSH-2.0-x'],
  ['Welcome.\r\n'.repeat(300), 'Weird_1.0+b~2 (a - b) <b>; \u001b[2J', 'SSH-2.0-Weird_1.0+b~2 (a - b) <b>; \\u001b[2J'],
])('a server that greets with %j, and names itself %j, serves a session', async (greeting, ident, shown) => {
  const server = new ssh2.Server({ hostKeys: [embeddedKey().private], ident, greeting }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (context) => context.accept());
  });
  await using listener = await listenLoopback((socket) => server.injectSocket(socket), { allowHalfOpen: false });
  const session = await login({ port: listener.port, user: 'fleet' }, byKey(key));
  expect(session.facts.server).toBe(shown);
  await session.end();
});

it('a server of SSH 1 and 2 is no server of SSH 1 alone', async () => {
  const server = new ssh2.Server({ hostKeys: [embeddedKey().private] }, (client) => client.on('error', () => {}));
  await using listener = await listenLoopback(
    (socket) => {
      const { write } = socket;
      let line: Buffer | undefined = Buffer.from('SSH-1.99-Cisco-1.25\r\n');
      // The line is a part of the exchange: another line fails the signature of the server.
      socket.write = ((data: Buffer, ...rest: never[]) => {
        const named = line ?? data;
        line = undefined;
        return write.call(socket, named, ...rest);
      }) as typeof write;
      server.injectSocket(socket);
    },
    { allowHalfOpen: false },
  );
  expect(await errorAt(listener)).toMatchObject({ code: 'kex_failed', message: expect.stringContaining('ignature') });
});
