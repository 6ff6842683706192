import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TunnelError, TurnedAway } from '../../../../../src/base/errors.ts';
import { listen } from '../../../../../src/base/net/listener.ts';
import { Junction } from '../../../../../src/tunnels/forward/junction.ts';
import { ListenForward, type ListenForwardOptions } from '../../../../../src/tunnels/forward/local/listen-forward.ts';
import { socksTarget } from '../../../../../src/tunnels/forward/local/negotiate.ts';
import { Usage } from '../../../../../src/tunnels/forward/usage.ts';
import { pythonClient } from '../../../../support/clients/python-client.ts';
import { GREETING, socksAnswer, socksRequest } from '../../../../support/clients/socks-client.ts';
import { SocketChannelSource } from '../../../../support/fakes/socket-channel-source.ts';
import { expectNoLeaks, takeBaseline } from '../../../../support/machine/leaks.ts';
import { freePort } from '../../../../support/peers/loopback.ts';
import { startBanner, startEcho } from '../../../../support/peers/targets.ts';
import { waitUntil } from '../../../../support/wait-until.ts';
import { rules } from '../../../../unit/config/allow/rules.ts';

let source: SocketChannelSource;
let usage: Usage;
let errors: TunnelError[];
let forward: ListenForward;
let port: number;
const clients: Socket[] = [];

beforeEach(async () => {
  source = new SocketChannelSource();
  usage = new Usage();
  errors = [];
  port = await freePort();
  forward = new ListenForward(options(), {
    source,
    usage,
    entrance: { listen, junction: new Junction() },
    onChange: () => {},
    onOpened: () => {},
    onFailed: (error) => errors.push(error),
    onAcceptError: () => {},
  });
  await forward.start();
});

afterEach(async () => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) client.destroy();
  await forward.stopAccepting();
  forward.resetAll();
  await forward.whenIdle();
  expect(source.allClosed).toBe(true);
});

function options(more: Partial<ListenForwardOptions> = {}): ListenForwardOptions {
  return {
    listen: { kind: 'tcp', host: '127.0.0.1', port },
    negotiate: socksTarget(rules('127.0.0.1:*', 'localhost:*')),
    whileDown: { kind: 'hold', holdMs: 10_000, limit: 10, abortOnClose: false },
    maxConnections: 10,
    ...more,
  };
}

/** A client that collects all received bytes. */
function client(): { socket: Socket; got(): Buffer; ended(): boolean } {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const chunks: Buffer[] = [];
  clients.push(socket);
  socket.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk));
  return { socket, got: () => Buffer.concat(chunks), ended: () => socket.readableEnded };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

const talk = (request: Buffer, endAfterSend = false) =>
  pythonClient({ port, send: Buffer.concat([GREETING, request]), endAfterSend });
const latin1 = (bytes: Buffer) => bytes.toString('latin1');

describe('a SOCKS5 client', () => {
  it('answers a SOCKS5 client that sends byte by byte, as soon as each message is complete', async () => {
    await using echo = await startEcho();
    const { socket, got } = client();
    for (const [index, byte] of GREETING.entries()) {
      socket.write(Buffer.of(byte));
      if (index < GREETING.length - 1) expect(got()).toHaveLength(0);
    }
    await waitUntil('the method', () => got().length === 2);
    for (const byte of socksRequest('localhost', echo.port)) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
    await waitUntil('the reply', () => got().length === 12);
    socket.write('hello');
    await waitUntil('the echo', () => got().length === 17);
    expect(got()).toEqual(Buffer.concat([socksAnswer(0), Buffer.from('hello')]));
    expect(usage.status()).toMatchObject({ open: 1, bytes_to_target: 5, bytes_from_target: 5 });
    expect(source.asked).toMatchObject([{ target: { kind: 'tcp', host: 'localhost', port: echo.port } }]);
  });

  it('sends the SOCKS5 reply before the first byte of a target that speaks first', async () => {
    await using banner = await startBanner('220 hello');
    const result = await talk(socksRequest('127.0.0.1', banner.port), true);
    expect(result).toMatchObject({
      end: 'fin',
      head: latin1(Buffer.concat([socksAnswer(0), Buffer.from('220 hello')])),
    });
  });

  it('keeps all bytes of a SOCKS5 client that sends data before its reply', async () => {
    await using echo = await startEcho();
    let open = () => {};
    source.gate = new Promise((resolve) => {
      open = resolve;
    });
    const early = Buffer.alloc(200_000, 'x');
    const result = talk(Buffer.concat([socksRequest('127.0.0.1', echo.port), early]), true);
    await waitUntil('the channel is asked for', () => source.asked.length === 1);
    open();
    expect(await result).toMatchObject({ end: 'fin', bytes: socksAnswer(0).length + early.length });
    await waitUntil('it is over', () => usage.open === 0);
    expect(usage.status()).toMatchObject({ bytes_to_target: early.length, bytes_from_target: early.length });
  });

  it.each([
    ['BIND', socksRequest('127.0.0.1', 80, 2), 7],
    ['UDP ASSOCIATE', socksRequest('127.0.0.1', 80, 3), 7],
    ['an unknown address type', Buffer.of(5, 1, 0, 9, 1, 2, 3), 8],
    ['a malformed request', Buffer.of(5, 1, 7, 1), 1],
    ['an invalid name', socksRequest('a b', 80), 1],
    ['an empty name', socksRequest('', 80), 1],
    ['a name that inet_aton takes for 127.0.0.1', socksRequest('2130706433', 80), 1],
    ['a denied address', socksRequest('10.0.0.1', 80), 2],
    ['a denied name', socksRequest('example.org', 80), 2],
    ['a denied port', socksRequest('127.0.0.1', 0), 2],
  ])('replies to a SOCKS5 client with %s, and closes', async (_, request, reply) => {
    // Unread bytes must not prevent the reply.
    const result = await talk(Buffer.concat([request, Buffer.alloc(50_000)]), true);
    expect(result).toMatchObject({ end: 'fin', head: latin1(socksAnswer(reply)) });
    expect(errors).toMatchObject([expect.any(TurnedAway)]);
    expect(usage.status()).toMatchObject({ opened_total: 0, failed_total: 1 });
    expect(source.asked).toEqual([]);
  });

  it.each([
    ['a refusal', new TunnelError('target_refused', 'x'), 5],
    ['an unreachable host', new TunnelError('target_unreachable', 'x'), 4],
    [
      'a timeout',
      new TunnelError('target_unreachable', 'x', { cause: new DOMException('no answer', 'TimeoutError') }),
      6,
    ],
    ['a server that forbids', new TunnelError('forward_denied', 'x'), 2],
  ])('replies to a SOCKS5 client after %s of the far side', async (_, refusal, reply) => {
    source.refusal = refusal;
    expect(await talk(socksRequest('127.0.0.1', 80), true)).toMatchObject({
      end: 'fin',
      head: latin1(socksAnswer(reply)),
    });
    expect(errors).toEqual([refusal]);
  });

  it('replies to a SOCKS5 client at once when the link is down and while_down is refuse', async () => {
    await forward.reconfigure(options({ whileDown: { kind: 'refuse' } }));
    source.ready = false;
    expect(await talk(socksRequest('127.0.0.1', 80), true)).toMatchObject({ end: 'fin', head: latin1(socksAnswer(1)) });
  });

  it('replies to a waiting SOCKS5 client when the tunnel stops', async () => {
    source.ready = false;
    Object.assign(source, { whenReady: untilAborted });
    const result = talk(socksRequest('127.0.0.1', 80), true);
    await waitUntil('it waits', () => usage.held === 1);
    forward.resetAll();
    expect(await result).toMatchObject({ end: 'fin', head: latin1(socksAnswer(1)) });
  });

  it('replies to a SOCKS5 client that requires a password that no method is acceptable', async () => {
    const result = await pythonClient({ port, send: Buffer.of(5, 1, 2), endAfterSend: true });
    expect(result).toMatchObject({ end: 'fin', head: latin1(Buffer.of(5, 0xff)) });
  });
});

describe('a client of another kind', () => {
  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 400 .*SOCKS5 proxy/s],
    ['HTTP CONNECT', 'CONNECT a:443 HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['SOCKS4', Buffer.of(4, 1, 0, 80, 10, 0, 0, 1, 0), /^\0\x5b\0{6}$/],
  ])('answers a client of another protocol in that protocol: %s', async (_, send, head) => {
    const result = await pythonClient({ port, send, endAfterSend: true });
    expect(result).toMatchObject({ end: 'fin', head: expect.stringMatching(head) });
    expect(usage.status()).toMatchObject({ failed_total: 1 });
  });

  it.each([
    ['TLS', Buffer.of(0x16, 3, 1, 0)],
    ['an unknown protocol', Buffer.of(0)],
  ])('resets a client that sends %s', async (_, send) => {
    expect(await pythonClient({ port, send })).toMatchObject({ end: 'rst', bytes: 0 });
    expect(errors).toMatchObject([{ message: 'a client sent bytes that are not SOCKS5' }]);
  });

  it('rejects a client that closes without sending anything', async () => {
    expect(await pythonClient({ port, send: Buffer.of(5, 1), endAfterSend: true })).toMatchObject({ end: 'rst' });
    expect(errors).toMatchObject([{ message: 'a client closed before the end of its SOCKS5 request' }]);
  });
});

describe('the bounds of a dynamic forward', () => {
  it('resets a client that does not finish its SOCKS5 handshake within 10 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, got } = client();
    socket.write(Buffer.concat([GREETING, Buffer.of(5, 1, 0)]));
    await waitUntil('the method', () => got().length === 2);
    await vi.advanceTimersByTimeAsync(9_900);
    expect(socket.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await waitUntil('it is closed', () => socket.closed);
    expect(errors).toMatchObject([{ message: 'a client did not finish its SOCKS5 handshake within 10 s' }]);
  });

  it('cuts a refused client that does not close after 1 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { socket, ended } = client();
    socket.write(Buffer.concat([GREETING, socksRequest('10.0.0.1', 80)]));
    await waitUntil('our end', ended);
    await vi.advanceTimersByTimeAsync(1_100);
    // The client's next bytes get a reset.
    await waitUntil('it is cut', () => {
      socket.write('still here?');
      return socket.closed;
    });
  });

  it('leaves nothing behind of clients that close at any stage', async () => {
    await using echo = await startEcho();
    const whole = Buffer.concat([GREETING, socksRequest('127.0.0.1', echo.port), Buffer.from('hello')]);
    const round = async () => {
      for (let length = 0; length <= whole.length; length += 1) {
        const { socket } = client();
        await new Promise((resolve) => socket.write(whole.subarray(0, length), resolve));
        length % 2 === 0 ? socket.resetAndDestroy() : socket.destroy();
      }
      await forward.whenIdle();
    };
    await round();
    const baseline = await takeBaseline();
    await round();
    await expectNoLeaks(baseline);
  });

  it('counts unfinished handshakes against max_connections', async () => {
    const waiting = Array.from({ length: 10 }, client);
    for (const { socket } of waiting) socket.write(GREETING);
    await waitUntil('all are in', () => waiting.every(({ got }) => got().length === 2));
    // The client sends nothing: otherwise its write could fail first.
    expect(await pythonClient({ port })).toMatchObject({ end: 'rst' });
    expect(errors[0]?.message).toBe('more than max_connections (10) connections');
  });
});
