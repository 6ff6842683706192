import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { statusFixture } from '../../../support/fakes/status-fixture.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const METRICS = 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

/** Clients that all send these bytes, and read the answer or not. */
async function crowdAt({ host, port }: RunningEndpoint, count: number, bytes: string, reads = true) {
  const received = Array.from({ length: count }, () => 0);
  const sockets = received.map((_, index) => {
    const socket = connect(port, host).on('error', () => {});
    socket.write(bytes);
    const onData = (chunk: Buffer) => (received[index] = (received[index] ?? 0) + chunk.length);
    return reads ? socket.on('data', onData) : socket.on('data', onData).pause();
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return {
    sockets,
    closed: () => sockets.filter((socket) => socket.closed).length,
    /** The bytes of each client, when it is at the end of its connection or has enough. */
    readAll: async (isEnough: (bytes: number) => boolean) => {
      for (const socket of sockets) socket.resume();
      const isOver = (socket: Socket, index: number) => socket.closed || isEnough(received[index] ?? 0);
      await waitUntil('every client is done', () => sockets.every(isOver));
      return received;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('ends a request that arrives too slowly with 408', async () => {
  await using endpoint = await startEndpoint();
  const answer = await endpoint.raw('GET /livez HTTP/1.1\r\nHost: 127');
  expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(answer).toContain('urn:fleet-mesh:problem:request_timeout');
});

test('limits the connections, and accepts new ones when others end', async () => {
  await using endpoint = await startEndpoint();
  const flood = Array.from({ length: 200 }, () =>
    connect(endpoint.port, endpoint.host)
      .on('error', () => {})
      .resume(),
  );
  await expect.poll(() => flood.filter((socket) => socket.closed).length).toBe(72);
  for (const socket of flood) socket.destroy();
  const ask = () => endpoint.raw('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  await expect.poll(ask).toMatch(/^HTTP\/1\.1 200 /);
});

test('drops the connection that is idle for longest, and keeps a request under way', async () => {
  let finish = (_page: string) => {};
  const render = () => new Promise<string>((resolve) => (finish = resolve));
  await using endpoint = await startEndpoint({ dependencies: { metrics: { render, contentType: 'text/plain' } } });
  const asked = endpoint.raw('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  await using crowd = await crowdAt(endpoint, 400, 'GET /livez HTTP/1.1\r\nHost: 127');
  await expect.poll(crowd.closed).toBe(400 - 127);
  expect(crowd.sockets.slice(0, 200).every((socket) => socket.closed)).toBe(true);
  finish('at last');
  expect(await asked).toMatch(/at last$/);
});

test('bounds the memory of clients that do not read, and still answers others', async () => {
  // Twice what the kernel takes of a page.
  const page = 'x'.repeat(16 * 1024 * 1024);
  const render = async () => page;
  await using endpoint = await startEndpoint({ dependencies: { metrics: { render, contentType: 'text/plain' } } });
  await using crowd = await crowdAt(endpoint, 40, METRICS, false);
  const livez = () => endpoint.raw('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  const since = performance.now();
  while (performance.now() - since < 1_500) expect(await livez()).toMatch(/^HTTP\/1\.1 200 /);
  // The kernel took some megabytes of each page, and the daemon held the rest: 32 MiB of 300 MB and more.
  const received = await crowd.readAll((bytes) => bytes >= page.length);
  expect(received.filter((bytes) => bytes >= page.length).length).toBeLessThan(30);
});

test('takes one snapshot for a crowd that asks for /status, and answers others meanwhile', async () => {
  const clients = 50;
  let asked = 0;
  let snapshots = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await using endpoint = await startEndpoint({
    dependencies: {
      snapshot: () => {
        snapshots += 1;
        return statusFixture();
      },
      refreshed: async () => {
        asked += 1;
        await released;
      },
    },
  });
  const status = 'GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
  await using crowd = await crowdAt(endpoint, clients, status.repeat(3));
  await expect.poll(() => asked).toBe(1);
  // This answer comes after the requests of the crowd.
  for (let n = 0; n < 5; n++) expect((await fetch(`${endpoint.url}/livez`)).status).toBe(200);
  release();
  const received = await crowd.readAll((bytes) => bytes > 3_000);
  expect(received.every((bytes) => bytes > 3_000)).toBe(true);
  // One for the first request, one for those that came meanwhile; on a busy machine, one more for late ones.
  expect(snapshots).toBeLessThan(10);
});

test('drops a connection with hundreds of requests in one packet', async () => {
  let pages = 0;
  const render = async () => `page ${++pages}`;
  await using endpoint = await startEndpoint({ dependencies: { metrics: { render, contentType: 'text/plain' } } });
  await using crowd = await crowdAt(endpoint, 1, METRICS.repeat(1_000));
  await expect.poll(crowd.closed).toBe(1);
  expect(pages).toBeLessThan(20);
});

test('makes one page of metrics for clients that ask at the same time', async () => {
  const waiting: ((page: string) => void)[] = [];
  const render = () => new Promise<string>((resolve) => void waiting.push(resolve));
  await using endpoint = await startEndpoint({ dependencies: { metrics: { render, contentType: 'text/plain' } } });
  const pages = [1, 2, 3].map(async () => (await fetch(`${endpoint.url}/metrics`)).text());
  await expect.poll(() => waiting.length).toBe(1);
  for (let n = 0; n < 3; n++) await fetch(`${endpoint.url}/livez`);
  expect(waiting).toHaveLength(1);
  waiting[0]?.('once');
  expect(await Promise.all(pages)).toEqual(['once', 'once', 'once']);
});

test('checks each pipelined request separately', async () => {
  await using endpoint = await startEndpoint();
  const answer = await endpoint.raw(
    'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  expect(answer.match(/^HTTP\/1\.1 \d+|(?<=})HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
});
