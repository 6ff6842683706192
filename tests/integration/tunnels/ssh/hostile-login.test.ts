import ssh2, { type Client, type Connection, type PublicKeyAuthContext } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { dial } from '../../../../src/tunnels/ssh/dial.ts';
import { exchangeParts } from '../../../../src/tunnels/ssh/key-exchange/exchange-parts.ts';
import { openSession } from '../../../../src/tunnels/ssh/open-session.ts';
import { parsePrivateKey } from '../../../../src/tunnels/ssh/private-key.ts';
import { publicKeyAuth } from '../../../../src/tunnels/ssh/user-auth.ts';
import { never } from '../../../support/clients/ssh-session.ts';
import { patient } from '../../../support/patience.ts';
import { embeddedKey } from '../../../support/peers/embedded-key.ts';
import { type LoopbackServer, listenLoopback } from '../../../support/peers/loopback.ts';
import { message, rawPeer } from '../../../support/peers/raw-peer.ts';

const rsaKey = ssh2.utils.generateKeyPairSync('rsa', { bits: 2_048 });

interface Manners {
  /** Called before the server has sent its first packet. */
  readonly onConnection?: (connection: Connection) => void;
  /** Called at the first exchange of keys. */
  readonly onHandshake?: (connection: Connection) => void;
  readonly onLogin: (context: PublicKeyAuthContext, connection: Connection) => void;
  /** Sends no SSH_MSG_EXT_INFO. */
  readonly silent?: boolean;
}

async function serving({ onConnection, onHandshake, onLogin, silent = false }: Manners): Promise<LoopbackServer> {
  const server = new ssh2.Server({ hostKeys: [embeddedKey().private] }, (connection) => {
    if (silent)
      exchangeParts(connection as unknown as Client).onExchange((exchange) => {
        Object.defineProperty(exchange, 'remoteExtInfoEnabled', { get: () => false, set: () => {} });
      });
    connection.on('error', () => {});
    onConnection?.(connection);
    connection.once('handshake', () => onHandshake?.(connection));
    connection.on('authentication', (context) => onLogin(context as PublicKeyAuthContext, connection));
  });
  return listenLoopback((socket) => server.injectSocket(socket), { allowHalfOpen: false });
}

async function login({ port }: LoopbackServer, key = rsaKey.private, stepTimeoutMs = 60_000): Promise<void> {
  const parsed = parsePrivateKey(Buffer.from(key), undefined);
  if (parsed === undefined) throw new Error('the key cannot be read');
  const socket = await dial({ host: '127.0.0.1', port, timeoutMs: 60_000 }, never);
  const session = await openSession(
    socket,
    {
      peer: 'hostile',
      username: 'fleet',
      offered: 'a key',
      authMethods: publicKeyAuth('fleet', parsed.key),
      hostKey: { algorithms: ['ssh-ed25519'], verify: () => undefined },
      stepTimeoutMs,
      keepalive: { everyMs: 5_000, lostAfter: 3 },
    },
    never,
  );
  await session.end();
}

describe('a server that prolongs the login', () => {
  it('gets one signature, however often the server says that the key is welcome', async () => {
    let signatures = 0;
    await using server = await serving({
      onLogin: ({ signature }, connection) => {
        if (signature) signatures++;
        const peer = rawPeer(connection);
        for (let count = 0; count < 200; count++) peer.send(message(60, '', ''));
      },
    });
    await expect(login(server)).rejects.toMatchObject({
      code: 'protocol_error',
      message: 'hostile asks for a second signature before it answers the login',
    });
    expect(signatures).toBeLessThanOrEqual(1);
  });

  it('loses the connection within the bound of the step, although the server exchanges keys all the time', async () => {
    const stepMs = patient(500);
    await using server = await serving({
      onLogin: (_, connection) => {
        const again = () => setTimeout(() => connection.rekey(again), stepMs / 4);
        again();
      },
    });
    await expect(login(server, embeddedKey().private, stepMs)).rejects.toMatchObject({
      code: 'connect_timeout',
      message: expect.stringContaining('did not answer the login'),
    });
  });
});

describe('a first key exchange', () => {
  // The Terrapin attack (CVE-2023-48795) inserts such messages, to cut others off later.
  it.each<[string, Buffer, string]>([
    ['a message to ignore', message(2, ''), 'strict KEX'],
    ['a message for debugging', message(4, false, '', ''), 'strict KEX'],
    ['the end of a login', message(52), 'unexpected packet type 52'],
    ['new keys without an exchange', message(21), 'a message is malformed, or comes too early'],
  ])('fails with %s in between, and offers no key', async (_, between, says) => {
    let offers = 0;
    await using server = await serving({
      onConnection: (connection) => void rawPeer(connection).send(between),
      onLogin: (context) => {
        offers++;
        context.accept();
      },
    });
    await expect(login(server)).rejects.toMatchObject({
      code: expect.stringMatching(/^(kex_failed|protocol_error)$/),
      message: expect.stringContaining(says),
    });
    expect(offers).toBe(0);
  });
});

describe('an RSA key', () => {
  it.each<[string, Buffer | undefined, string[]]>([
    ['a server that lists no algorithm', undefined, ['sha256']],
    ['a server that tells something else', message(7, 1, 'delay-compression', ''), ['sha256']],
    ['a server that also accepts SHA-1', message(7, 1, 'server-sig-algs', 'ssh-rsa,rsa-sha2-512'), ['sha512']],
    ['a server that accepts only SHA-1', message(7, 1, 'server-sig-algs', 'ssh-rsa'), []],
  ])('signs with SHA-2 or not at all: %s', async (_, extensions, expected) => {
    const hashes: (string | undefined)[] = [];
    await using server = await serving({
      silent: true,
      onHandshake: (connection) => extensions && void rawPeer(connection).send(extensions),
      onLogin: (context) => {
        if (context.signature) hashes.push(context.hashAlgo ?? 'sha1');
        context.accept();
      },
    });
    const error = await login(server).catch((thrown: unknown) => thrown);
    expect(hashes).toEqual(expected);
    if (expected.length > 0) expect(error).toBeUndefined();
    else
      expect(error).toMatchObject({
        code: 'auth_rejected',
        message: 'hostile accepts RSA keys only with SHA-1, and so cannot accept a key of fleet',
      });
  });
});
