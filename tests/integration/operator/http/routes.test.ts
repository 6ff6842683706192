import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { statusText } from '../../../../src/operator/text/status.ts';
import { status as statusSchema, tunnelStatus } from '../../../../src/telemetry/status/status.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

let endpoint: RunningEndpoint;
beforeAll(async () => {
  endpoint = await startEndpoint();
});
afterAll(() => endpoint.stop());
beforeEach(() => {
  endpoint.snapshot = statusFixture();
  endpoint.alive = true;
  endpoint.readiness = { applied: true, unbound: [] };
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(endpoint.url + path, { headers });

async function problem(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toMatchObject({
    type: expect.stringMatching(/^urn:fleet-mesh:problem:[a-z_]+$/),
    status: response.status,
    title: expect.any(String),
    detail: expect.any(String),
  });
  return body;
}

describe('/status', () => {
  test('answers /status with the snapshot, valid by its schema', async () => {
    const response = await get('/status');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(statusSchema.parse(await response.json())).toEqual(statusFixture());
  });

  test.each([
    ['/status?format=text', '*/*'],
    ['/status', 'text/plain'],
    ['/status', 'text/*, application/json;q=0.5'],
    ['/status?format=text', 'application/json'],
  ])('answers %s (Accept: %s) with the table', async (path, accept) => {
    const response = await get(path, { accept });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe(statusText(statusFixture()));
  });

  test.each(['*/*', 'application/json', 'text/plain, application/json', 'text/plain;q=0, */*', ';;;,,,q=zz'])(
    'answers /status with Accept: %s with JSON',
    async (accept) => {
      const response = await get('/status', { accept });
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    },
  );

  test.each(['?format=xml', '?format=', '?format=text&format=json', '?fromat=text'])(
    'rejects the invalid query %s of /status',
    async (query) => {
      const response = await get(`/status${query}`);
      expect(response.status).toBe(400);
      await problem(response);
    },
  );

  test('answers HEAD /status with headers and without a body', async () => {
    const [head, full] = await Promise.all([fetch(`${endpoint.url}/status`, { method: 'HEAD' }), get('/status')]);
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(full.headers.get('content-length'));
    expect(await head.text()).toBe('');
  });
});

describe('/status/{tunnel}', () => {
  test('answers /status/{tunnel} with one tunnel', async () => {
    const response = await get('/status/state-hub');
    expect(tunnelStatus.parse(await response.json())).toEqual(tunnelFixture());
  });

  test.each(['nope', '%2e%2e%2fetc%2fpasswd', 'constructor', '__proto__', '%00'])(
    'rejects the unknown tunnel %s',
    async (name) => {
      const response = await get(`/status/${name}`);
      expect(response.status).toBe(404);
      expect(await problem(response)).toMatchObject({ tunnels: ['state-hub'] });
    },
  );
});

describe('/livez and /readyz', () => {
  test('answers /livez with 200 while the daemon makes progress, whatever its peers do', async () => {
    endpoint.snapshot = statusFixture({ state: 'down', tunnels: [tunnelFixture({ state: 'down' })] });
    expect((await get('/livez')).status).toBe(200);
    endpoint.alive = false;
    const response = await get('/livez');
    expect(response.status).toBe(503);
    await problem(response);
  });

  test('answers /readyz with 200 although peers are down', async () => {
    endpoint.snapshot = statusFixture({ state: 'down', tunnels: [tunnelFixture({ state: 'down' })] });
    const response = await get('/readyz');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ready: true, reasons: [] });
  });

  test('explains in /readyz why the daemon is not ready', async () => {
    endpoint.readiness = { applied: true, unbound: ['127.0.0.1:18000 is not bound.'] };
    for (const path of ['/readyz', '/readyz?production=true']) {
      const response = await get(path);
      expect(response.status).toBe(503);
      expect(await problem(response)).toMatchObject({ ready: false, reasons: ['127.0.0.1:18000 is not bound.'] });
    }
    // The listener of another tunnel is none of its business.
    expect((await get('/readyz/state-hub')).status).toBe(200);
  });

  test('answers /readyz with 503 while the daemon starts or stops', async () => {
    endpoint.readiness = { applied: false, unbound: [] };
    for (const path of ['/readyz', '/readyz?production=true', '/readyz/state-hub', '/readyz/not-listed-yet'])
      expect((await get(path)).status).toBe(503);
  });

  test.each([
    ['up', 200],
    ['draining', 200],
    ['retired', 200],
    ['stopped', 200],
    ['degraded', 503],
    ['down', 503],
    ['unverified', 503],
  ] as const)('answers /readyz?production=true for a tunnel that is %s with %i', async (state, code) => {
    const spare = tunnelFixture({ name: 'spare', production: false, state: 'down' });
    endpoint.snapshot = statusFixture({ tunnels: [tunnelFixture({ state, reason: 'because' }), spare] });
    const all = await get('/readyz?production=true');
    expect(all.status).toBe(code);
    if (code === 503) expect(await problem(all)).toMatchObject({ reasons: [`state-hub is ${state}: because`] });
    expect((await get('/readyz/state-hub')).status).toBe(code);
    expect((await get('/readyz?production=false')).status).toBe(200);
  });

  test.each(['/readyz?prodution=true', '/readyz?production=yes'])('rejects the invalid query of %s', async (path) => {
    expect((await get(path)).status).toBe(400);
  });

  test('answers /readyz for an unknown tunnel with 404', async () => {
    const response = await get('/readyz/nope');
    expect(response.status).toBe(404);
    expect(await problem(response)).toMatchObject({ tunnels: ['state-hub'] });
  });
});

describe('/metrics', () => {
  test('answers /metrics with Prometheus text in every state', async () => {
    endpoint.snapshot = statusFixture({ state: 'down', tunnels: [tunnelFixture({ state: 'down' })] });
    const response = await get('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('fleet_mesh_tunnel_up{tunnel="state-hub"} 0');
  });
});

test.each(['/nope', '/status/a/b', '/favicon.ico', '/Status'])(
  'lists the valid paths in the answer to %s',
  async (path) => {
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(await problem(response)).toMatchObject({ paths: expect.arrayContaining(['/status', '/metrics']) });
  },
);

test('answers a browser with the page, whose policy allows only its own script and styles', async () => {
  const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  for (const response of [await get('/'), await get('/status', { accept })]) {
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; connect-src 'self'; /,
    );
  }
  expect((await get('/status?format=json', { accept })).headers.get('content-type')).toContain('json');
});

test('hides internal details of a failure in the daemon', async () => {
  const failing = () => {
    throw new Error('secret at /etc/fleet-mesh/key');
  };
  await using broken = await startEndpoint({ dependencies: { snapshot: failing } });
  const response = await fetch(`${broken.url}/status`);
  expect(response.status).toBe(500);
  expect(JSON.stringify(await problem(response))).not.toMatch(/secret|\.ts|node_modules|at /);
  expect(broken.lines.join('')).toContain('secret at');
});
