import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startEndpoint } from '../../../support/daemon/endpoint.ts';

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

test('checks each pipelined request separately', async () => {
  await using endpoint = await startEndpoint();
  const answer = await endpoint.raw(
    'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  expect(answer.match(/^HTTP\/1\.1 \d+|(?<=})HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
});
