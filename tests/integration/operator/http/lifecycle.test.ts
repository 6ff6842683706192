import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { TunnelError } from '../../../../src/base/errors.ts';
import { createEndpoint } from '../../../../src/operator/http/server.ts';
import { LastHour } from '../../../../src/operator/page/last-hour.ts';
import { Recent } from '../../../../src/retirement/evidence/recent.ts';
import { createLogger } from '../../../../src/telemetry/log/log.ts';
import { startEndpoint } from '../../../support/daemon/endpoint.ts';
import { fleetFixture } from '../../../support/fakes/fleet-fixture.ts';
import { statusFixture } from '../../../support/fakes/status-fixture.ts';
import { patient } from '../../../support/patience.ts';

const sources = {
  refreshed: async () => {},
  recorded: async () => {},
  events: new Recent(1),
  opened: async () => {},
  plan: () => undefined,
  tunnelNames: () => [],
  drain: () => undefined,
  snapshot: () => statusFixture(),
  alive: () => true,
  readiness: () => ({ applied: true, unbound: [] }),
  lastHour: new LastHour(),
  fleet: async () => fleetFixture(),
  metrics: { render: async () => '', contentType: 'text/plain' },
};

async function startFailure(host: string, port: number): Promise<unknown> {
  await using running = await startEndpoint();
  const listen = { kind: 'tcp' as const, host, port: port === -1 ? running.port : port };
  return await startEndpoint({ options: { listen } }).catch((error: unknown) => error);
}

test('reports listen_in_use for a taken port, and names the other daemon', async () => {
  const error = await startFailure('127.0.0.1', -1);
  expect(error).toBeInstanceOf(TunnelError);
  expect(error).toMatchObject({ code: 'listen_in_use', hint: expect.stringContaining('another fleet-mesh') });
});

test('explains that an address does not belong to this machine', async () => {
  expect(await startFailure('192.0.2.1', 0)).toMatchObject({ message: expect.stringContaining('no such address') });
});

test('closes idle and silent connections at once at a stop, and frees the port', async () => {
  const endpoint = await startEndpoint();
  const agent = new Agent({ keepAlive: true });
  const [response] = await once(get(`${endpoint.url}/livez`, { agent }), 'response');
  response.resume();
  await once(response, 'end');
  const silent = connect(endpoint.port, '127.0.0.1');
  const partial = connect(endpoint.port, '127.0.0.1', () => partial.write('GET /livez HTTP/1.1\r\nHo'));
  // A reset is as good as an end here.
  const closed = [silent, partial].map((socket) => {
    socket.on('error', () => {});
    return new Promise((resolve) => socket.once('close', resolve));
  });
  await Promise.all([once(silent, 'connect'), once(partial, 'connect')]);
  const started = performance.now();
  await Promise.all([endpoint.stop(), ...closed]);
  expect(performance.now() - started).toBeLessThan(patient(500));
  agent.destroy();
  const again = createServer().listen(endpoint.port, '127.0.0.1');
  await once(again, 'listening');
  again.close();
});

test('finishes a running answer at a stop', async () => {
  let finish = (_page: string) => {};
  let asked = () => {};
  const underWay = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const render = () => {
    asked();
    return new Promise<string>((resolve) => {
      finish = resolve;
    });
  };
  const endpoint = await startEndpoint({ dependencies: { metrics: { render, contentType: 'text/plain' } } });
  const answer = fetch(`${endpoint.url}/metrics`);
  await underWay;
  const stopped = endpoint.stop();
  finish('late');
  expect(await (await answer).text()).toBe('late');
  await stopped;
});

test('stops in bounded time although a client does not read its answer', async () => {
  const page = 'x'.repeat(64 * 1024 * 1024);
  const endpoint = await startEndpoint({
    dependencies: { metrics: { render: async () => page, contentType: 'text/plain' } },
  });
  const slow = connect(endpoint.port, '127.0.0.1');
  slow.on('error', () => {});
  slow.write('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(slow, 'readable');
  const started = performance.now();
  await endpoint.stop();
  expect(performance.now() - started).toBeLessThan(patient(3_000));
  slow.destroy();
});

test('allows a stop before the start and a second stop', async () => {
  const endpoint = createEndpoint(
    { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, allowedHosts: () => [] },
    { ...sources, log: createLogger({ level: 'fatal', stream: { write() {} } }) },
  );
  await endpoint.stop();
  await endpoint.stop();
});
