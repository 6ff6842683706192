import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { ProbeCheck } from '../../../../src/config/config.ts';
import { probeHttp } from '../../../../src/tunnels/probe/http.ts';
import { SocketChannelSource } from '../../../support/fakes/socket-channel-source.ts';
import { TcpServer } from '../../../support/peers/tcp-server.ts';

type HttpCheck = Extract<ProbeCheck, { kind: 'http' }>;

const check: HttpCheck = { kind: 'http', path: '/state/health', status: 200, json: { status: 'ok' } };
const never = new AbortController().signal;

async function probeServer(server: TcpServer, with_: Partial<HttpCheck>, signal: AbortSignal): Promise<void> {
  const source = new SocketChannelSource();
  try {
    await probeHttp(source, server.address, { ...check, ...with_ }, signal);
  } finally {
    expect(source.channels).toHaveLength(1);
    expect(source.allClosed).toBe(true);
  }
}

/** Against a real HTTP server. */
async function probe(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  with_: Partial<HttpCheck> = {},
  signal = never,
): Promise<void> {
  await using server = await TcpServer.of(createServer(answer));
  await probeServer(server, with_, signal);
}

/** Against bytes that no HTTP server would send. */
async function probeRaw(
  serve: (socket: Socket) => void,
  with_: Partial<HttpCheck> = {},
  signal = never,
): Promise<void> {
  await using server = await TcpServer.listen((socket) => socket.once('data', () => serve(socket)));
  await probeServer(server, with_, signal);
}

test('passes when status and fields are as expected, and sends its name', async () => {
  let seen: IncomingMessage | undefined;
  await probe((request, response) => {
    seen = request;
    response.end(JSON.stringify({ status: 'ok', uptime: 7 }));
  });
  expect(seen).toMatchObject({ method: 'GET', url: '/state/health', httpVersion: '1.1' });
  expect(seen?.headers).toMatchObject({
    host: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    'user-agent': 'fleet-mesh-probe',
    connection: 'close',
  });
});

test('checks only the status without json, whatever the body', async () => {
  await probe((_, response) => response.end('x'.repeat(1_000_000)), { json: undefined });
  await probe((_, response) => response.writeHead(204).end(), { json: undefined, status: 204 });
});

test('ignores an interim answer', async () => {
  await probe((_, response) => {
    response.writeProcessing();
    response.end('{"status":"ok"}');
  });
});

test.each([
  ['another status', 503, '', 'GET /state/health answered 503, expected 200'],
  ['a redirect', 302, '', 'GET /state/health answered 302, expected 200'],
  ['another field', 200, '{"status":"degraded"}', 'GET /state/health: field status is "degraded", expected "ok"'],
  ['no JSON', 200, '<html>', 'GET /state/health: the answer is not JSON'],
  ['nothing', 200, '', 'GET /state/health: the answer is not JSON'],
  ['too much', 200, `"${'x'.repeat(65_536)}"`, 'GET /state/health: the answer has more than 64 KiB'],
])('%s is told', async (_, status, body, message) => {
  const answered = probe((_request, response) => response.writeHead(status).end(body));
  await expect(answered).rejects.toMatchObject({ code: 'target_unreachable', message, retryable: true });
});

test('reads a body of exactly 64 KiB', async () => {
  const body = JSON.stringify({ status: 'ok', fill: '' });
  await probe((_, response) => response.end(body.replace('""', `"${'x'.repeat(65_536 - body.length)}"`)));
});

const closedEarly = 'GET /state/health: the target closed the connection before the end of its answer';

test.each([
  ['not HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n', 'GET /state/health: the answer is not HTTP'],
  ['an end without an answer', '', closedEarly],
  ['an end within the head', 'HTTP/1.1 200 OK\r\nContent-', closedEarly],
  ['an end within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"st', closedEarly],
  [
    'endless headers',
    `HTTP/1.1 200 OK\r\n${`A: ${'x'.repeat(1_000)}\r\n`.repeat(20)}\r\n`,
    'GET /state/health sent more than 16 KiB of headers',
  ],
  [
    'an upgrade',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'GET /state/health answered 101, expected 200',
  ],
])('%s is told', async (_, bytes, message) => {
  await expect(probeRaw((socket) => socket.end(bytes))).rejects.toMatchObject({ code: 'target_unreachable', message });
});

test.each([
  ['line feeds alone, as of a script', 'HTTP/1.0 200 OK\nContent-Type: application/json\n\n{"status":"ok"}'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX-Note: one\r\n two\r\n\r\n{"status":"ok"}'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 15\r\n\r\n{"status":"ok"}'],
  [
    'a length beside chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"status":"ok"}\r\n0\r\n\r\n',
  ],
])('passes with %s, which curl accepts too', async (_, bytes) => {
  await probeRaw((socket) => socket.end(bytes));
});

test('reports a reset', async () => {
  await expect(probeRaw((socket) => socket.resetAndDestroy())).rejects.toMatchObject({ message: closedEarly });
});

test.each([
  ['never answers', () => {}],
  ['stops within its answer', (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{')],
  [
    'answers after the deadline',
    (socket: Socket) => setTimeout(() => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 80),
  ],
])('a target that %s is left at the deadline', async (_, serve) => {
  const deadline = new AbortController();
  const serveUntil = (socket: Socket) => {
    setTimeout(() => deadline.abort(new DOMException('too late', 'TimeoutError')), 50);
    serve(socket);
  };
  await expect(probeRaw(serveUntil, {}, deadline.signal)).rejects.toMatchObject({ name: 'TimeoutError' });
  // A late error would be unhandled, which fails the test run.
  await new Promise((resolve) => setTimeout(resolve, 60));
});

test('sends a request to a Unix socket under the name localhost', async () => {
  const source = new SocketChannelSource();
  await expect(probeHttp(source, { kind: 'unix', path: '/nonexistent/socket' }, check, never)).rejects.toMatchObject({
    code: 'target_refused',
  });
});

test('sends the virtual host as configured, else the target', async () => {
  const hosts: (string | undefined)[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    hosts.push(request.headers.host);
    response.end('{"status":"ok"}');
  };
  await probe(answer, { host: 'hub.example:8443' });
  await probe(answer);
  expect(hosts).toEqual(['hub.example:8443', expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
});

test('reads JSON behind a byte order mark', async () => {
  await probe((_, response) => response.end('\uFEFF{"status":"ok"}'));
  await expect(probe((_, response) => response.end('\uFEFF{"status":"ill"}'))).rejects.toThrow(/field status is "ill"/);
  await expect(probe((_, response) => response.end('\uFEFF\uFEFF{}'))).rejects.toThrow('not JSON');
});
