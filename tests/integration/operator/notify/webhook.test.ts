import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WebhookConfig } from '../../../../src/config/config.ts';
import type { Notice } from '../../../../src/operator/notify/notice.ts';
import { readToken } from '../../../../src/operator/notify/token.ts';
import { Webhook } from '../../../../src/operator/notify/webhook.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { tempDir } from '../../../support/machine/temp-dir.ts';
import { waitUntil } from '../../../support/wait-until.ts';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let baseline: Holdings;
let running: AbortController;
let lines: string[];
const servers: Server[] = [];
beforeEach(async () => {
  baseline = await takeBaseline(50);
  running = new AbortController();
  lines = [];
});
afterEach(async () => {
  running.abort();
  // The servers close the idle connections that fetch keeps.
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await expectNoLeaks(baseline);
});

/** A server that answers each request in turn with the next of `answers`, and with 200 afterwards. */
async function startServer(answers: ((response: ServerResponse) => void)[] = []) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body });
    const next = answers.shift();
    if (next === undefined) response.end('fine');
    else next(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret-path` };
}

const notice = (text: string): Notice => ({
  schema: 1,
  event: 'tunnel.state',
  node: 'node-a',
  at: '2026-07-20T10:00:00.000Z',
  tunnel: 'db',
  state: 'down',
  code: 'connect_refused',
  text,
});

function start(url: string, changes: Partial<WebhookConfig> = {}): Webhook {
  const config = { url, events: ['tunnel.state'] as const, secretFile: undefined, template: undefined, ...changes };
  const log = createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } });
  return new Webhook(config, running.signal, { log, readToken: (path) => readToken(path, undefined), random: () => 0 });
}

const events = () => lines.map((line) => JSON.parse(line).event);
const fail = (status: number) => (response: ServerResponse) => {
  response.writeHead(status).end();
};

test.each(['one-s3cret\nother-s3cret\n', '€-s3cret\n', 'a\ts3cret\n', '\n'])(
  'sends nothing with the unusable token %j, and logs no part of the token',
  async (text) => {
    using directory = tempDir('notify');
    const secretFile = join(directory.path, 'token');
    writeFileSync(secretFile, text, { mode: 0o600 });
    const { received, url } = await startServer();
    start(url, { secretFile }).send(notice('one'));
    await waitUntil('the failure is logged', () => lines.length > 0);
    expect(lines.join('')).toContain(`${secretFile} is not one line`);
    expect(lines.join('').replaceAll(url, '')).not.toContain('s3cret');
    expect(received).toEqual([]);
  },
);

test('delivers notices in order, with the token of the file, and only the chosen events', async () => {
  using directory = tempDir('notify');
  const secretFile = join(directory.path, 'token');
  writeFileSync(secretFile, 's3cret\n', { mode: 0o600 });
  const { received, url } = await startServer();
  const webhook = start(url, { secretFile });
  webhook.send(notice('one'));
  webhook.send({ ...notice('other'), event: 'advisory' });
  webhook.send(notice('two'));
  await waitUntil('both notices arrive', () => received.length === 2);
  expect(received.map(({ body }) => JSON.parse(body).text)).toEqual(['one', 'two']);
  expect(received[0]?.headers).toMatchObject({ authorization: 'Bearer s3cret', 'content-type': 'application/json' });
  expect(lines).toEqual([]);
});

test('repeats after 500, 429 and a closed connection, and logs one failure and one recovery', async () => {
  const { received, url } = await startServer([fail(500), fail(429), (response) => response.destroy()]);
  start(url).send(notice('one'));
  await waitUntil('the notice is delivered', () => events().includes('notify.recovered'));
  expect(received).toHaveLength(4);
  expect(events()).toEqual(['notify.failed', 'notify.recovered']);
});

test('gives up a notice that the server rejects, and goes on with the next', async () => {
  const { received, url } = await startServer([fail(403), fail(302)]);
  const webhook = start(url);
  for (const text of ['one', 'two', 'three']) webhook.send(notice(text));
  await waitUntil('the third notice is delivered', () => received.length === 3);
  expect(received.map(({ body }) => JSON.parse(body).text)).toEqual(['one', 'two', 'three']);
});

test('ends a delivery to a server that never answers, at once when it is stopped', async () => {
  const { received, url } = await startServer([() => {}]);
  start(url).send(notice('one'));
  await waitUntil('the server has the request', () => received.length === 1);
  running.abort();
  expect(lines).toEqual([]);
});

test('keeps the newest hundred notices while the server refuses', async () => {
  const webhook = start('http://127.0.0.1:1/');
  for (let index = 0; index < 150; index++) webhook.send(notice(`${index}`));
  await waitUntil('the failure is logged', () => events().includes('notify.failed'));
  expect(events().filter((event) => event === 'notify.dropped')).toHaveLength(50);
});

test('shows neither the token nor the path of the URL, and refuses a token that others can read', async () => {
  using directory = tempDir('notify');
  const secretFile = join(directory.path, 'token');
  writeFileSync(secretFile, 's3cret\n');
  chmodSync(secretFile, 0o644);
  const { received, url } = await startServer();
  start(url, { secretFile }).send(notice('one'));
  await waitUntil('the failure is logged', () => events().includes('notify.failed'));
  expect(lines.join('')).toContain('readable or writable by other users');
  expect(received).toEqual([]);
  chmodSync(secretFile, 0o600);
  await waitUntil('the notice arrives', () => received.length === 1);
  await waitUntil('the recovery is logged', () => events().includes('notify.recovered'));
  expect(lines.join('')).not.toMatch(/s3cret|secret-path/);
});
