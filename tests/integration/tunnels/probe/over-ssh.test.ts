import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import type { Address } from '../../../../src/base/net/address.ts';
import type { Channel, ChannelSource, Originator } from '../../../../src/tunnels/channel/channel-source.ts';
import { runCheck } from '../../../../src/tunnels/probe/check.ts';
import { openDirectChannel } from '../../../../src/tunnels/ssh/channel.ts';
import { generatedKey } from '../../../support/certificates/generated-key.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** The least that an SSH server must do for direct-tcpip, counting the channels that are open at its side. */
class ForwardingServer {
  readonly #server: ssh2.Server;
  open = 0;
  opened = 0;

  constructor() {
    const { private: key } = generatedKey();
    this.#server = new ssh2.Server({ hostKeys: [key] }, (client) => {
      client.on('error', () => {});
      client.on('authentication', (attempt) => attempt.accept());
      client.on('tcpip', (accept, reject, { destIP, destPort }) => {
        const socket = connect({ host: destIP, port: destPort, allowHalfOpen: true });
        socket.on('error', () => reject());
        socket.once('connect', () => {
          const channel = accept();
          this.open++;
          this.opened++;
          channel.on('close', () => {
            this.open--;
            socket.destroy();
          });
          socket.pipe(channel).pipe(socket);
        });
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP server');
    return address.port;
  }

  close(): void {
    this.#server.close();
  }
}

/** Channels of a bare ssh2 client, whose errors the program's own channels explain. */
class ClientSource implements ChannelSource {
  readonly ready = true;
  readonly #client: ssh2.Client;
  /** Channels that the server has confirmed to this side. */
  confirmed = 0;

  constructor(client: ssh2.Client) {
    this.#client = client;
  }

  async whenReady(): Promise<void> {}

  open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel> {
    const channel = openDirectChannel(this.#client, undefined, target, originator, {
      server: '',
      gone: () => new TunnelError('connection_reset', 'the client is closed'),
      deaf: () => undefined,
      answeringSince: () => 0,
      onAnswered: () => {},
      onOpened: () => {
        this.confirmed += 1;
      },
      onClosed: () => {},
    });
    this.#client.once('close', () => channel.lose());
    return channel.opened(10_000, signal);
  }
}

let server: ForwardingServer;
let client: ssh2.Client;
let source: ClientSource;
const never = () => new AbortController().signal;
const check = { kind: 'http', path: '/', status: 200, json: { status: 'ok' } } as const;

beforeEach(async () => {
  server = new ForwardingServer();
  const port = await server.listen();
  client = new ssh2.Client();
  client.on('error', () => {});
  // One listener for each open channel.
  client.setMaxListeners(0);
  client.connect({ host: '127.0.0.1', port, username: 'me', authHandler: ['none'], hostVerifier: () => true });
  await once(client, 'ready');
  source = new ClientSource(client);
});
afterEach(() => {
  client.end();
  server.close();
});

const nothingIsLeft = (opened: number) =>
  expect.poll(() => ({ opened: server.opened, open: server.open }), { timeout: 10_000 }).toEqual({ opened, open: 0 });

test('passes fifty http checks at once', async () => {
  await using target = await TcpServer.of(createServer((_, response) => response.end('{"status":"ok"}')));
  await Promise.all(Array.from({ length: 50 }, () => runCheck(check, source, target.address, never())));
  await nothingIsLeft(50);
});

test('fails an http check on a wrong status with an endless body', async () => {
  const endless = createServer((_, response) => {
    response.writeHead(500);
    const more = setInterval(() => response.write('x'.repeat(100_000)), 1);
    response.on('close', () => clearInterval(more));
  });
  await using target = await TcpServer.of(endless);
  await expect(runCheck(check, source, target.address, never())).rejects.toMatchObject({
    message: 'GET / answered 500, expected 200',
  });
  await nothingIsLeft(1);
});

test('fails an http check at a deadline during the answer', async () => {
  const deadline = new AbortController();
  const unfinished = createServer((_, response) => {
    response.writeHead(200).write('{', () => deadline.abort(new DOMException('too late', 'TimeoutError')));
  });
  await using target = await TcpServer.of(unfinished);
  await expect(runCheck(check, source, target.address, deadline.signal)).rejects.toMatchObject({
    name: 'TimeoutError',
  });
  await nothingIsLeft(1);
});

test('fails a check when the answer ends early, and when the server cannot reach the target', async () => {
  await using target = await TcpServer.listen((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'));
  await expect(runCheck(check, source, target.address, never())).rejects.toMatchObject({ code: 'target_unreachable' });
  const nowhere = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  await expect(runCheck(check, source, nowhere, never())).rejects.toMatchObject({ code: 'target_refused' });
  await nothingIsLeft(1);
});

test('passes banner and tcp checks', async () => {
  await using target = await TcpServer.listen((socket) => socket.write('SSH-2.0-x\r\n'));
  await runCheck({ kind: 'banner', prefix: 'SSH-2.0' }, source, target.address, never());
  await expect(runCheck({ kind: 'banner', prefix: '220 ' }, source, target.address, never())).rejects.toMatchObject({
    message: 'the banner is "SSH-2.0-x ", expected it to start with "220 "',
  });
  await runCheck({ kind: 'tcp' }, source, target.address, never());
  await nothingIsLeft(3);
});

test('blames the session, not the target, when the session dies during a check', async () => {
  await using target = await TcpServer.listen(() => {});
  const checks = [check, { kind: 'banner', prefix: 'x' } as const].map((each) =>
    runCheck(each, source, target.address, never()).catch((error: unknown) => error),
  );
  // At this side as well: before that no check is under way.
  await waitUntil('both channels are open', () => server.open === 2 && source.confirmed === 2, 10_000);
  client.destroy();
  for (const error of await Promise.all(checks)) expect(error).toMatchObject({ code: 'connection_reset' });
});

test('blames the session, not the target, when the session dies before a channel opens', async () => {
  await using target = await TcpServer.listen(() => {});
  const answer = runCheck({ kind: 'tcp' }, source, target.address, never());
  client.destroy();
  await expect(answer).rejects.toMatchObject({ code: 'connection_reset' });
});
