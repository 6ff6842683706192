import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type VerdictAnswer, verdictAnswer } from '../../../../src/retirement/drain/answer.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { patient } from '../../../support/patience.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const NOW = '2026-07-20T10:00:00.000Z';
const blocker = (clears_at: string | null) => ({
  code: 'recent_use' as const,
  message: 'last used 1h ago by curl',
  since: NOW,
  clears_when: 'nobody has used it for 24h',
  clears_at,
  clears_by_itself: true,
  examples: ['curl'],
});
const answer = (changes: Partial<VerdictAnswer> = {}): VerdictAnswer => ({
  tunnel: 'state-hub',
  verdict: 'retirable',
  message: 'nothing speaks against it',
  retired_at: null,
  checked_at: NOW,
  blockers: [],
  unknowns: [],
  rollback: null,
  ...changes,
});
const blocked = (clears_at: string | null = null) => answer({ verdict: 'blocked', blockers: [blocker(clears_at)] });

let endpoint: RunningEndpoint;
let now: VerdictAnswer;
let looks = 0;
beforeAll(async () => {
  const drain = (tunnel: string) => {
    looks++;
    return tunnel === 'state-hub' ? now : undefined;
  };
  endpoint = await startEndpoint({ dependencies: { drain } });
});
afterAll(() => endpoint.stop());
beforeEach(() => {
  now = blocked();
  looks = 0;
});
const get = (path: string) => fetch(endpoint.url + path);
const GATE = '/drain/state-hub?require=retirable';

describe('/drain', () => {
  test('answers /drain with the verdict on every tunnel and status 200', async () => {
    const response = await get('/drain');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ schema: 1, node: 'railiance01', tunnels: [blocked()] });
  });

  test('answers /drain/{tunnel} with status 200 for every verdict', async () => {
    const response = await get('/drain/state-hub');
    expect([response.status, verdictAnswer.parse(await response.json())]).toEqual([200, blocked()]);
  });

  test('rejects /drain/{tunnel} for an unknown tunnel', async () => {
    for (const path of ['/drain/nope', '/drain/nope?require=retirable&wait=1s']) {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toContain('application/problem+json');
      expect(await response.json()).toMatchObject({ tunnels: ['state-hub'] });
    }
  });

  test.each([
    '?require=up',
    '?requires=retirable',
    '?wait=5s',
    '?require=retirable&wait=soon',
    '?require=retirable&wait=1h',
  ])('rejects the invalid query %s of /drain', async (query) =>
    expect((await get(`/drain/state-hub${query}`)).status).toBe(400),
  );
});

describe('/drain/{tunnel}?require=retirable', () => {
  test.each([
    ['retirable', answer(), 200, null],
    ['retired already', answer({ verdict: null, retired_at: NOW }), 200, null],
    ['blocked for an unknown time', blocked(), 503, '10'],
    ['blocked for a known time', blocked('2026-07-20T10:00:07.200Z'), 503, '8'],
    ['blocked for long', blocked('2026-07-21T10:00:00.000Z'), 503, '60'],
    ['blocked until a moment ago', blocked(NOW), 503, '1'],
    ['nothing to judge', answer({ verdict: null }), 503, '10'],
  ])('answers a gate request with status and Retry-After: %s', async (_, given, status, retryAfter) => {
    now = given;
    const response = await get(GATE);
    expect([response.status, response.headers.get('retry-after')]).toEqual([status, retryAfter]);
    expect(verdictAnswer.parse(await response.json())).toEqual(given);
  });

  test('keeps a gate request waiting until the tunnel is retirable', async () => {
    const waiting = get(`${GATE}&wait=20s`);
    await waitUntil('it looks again', () => looks > 1 || undefined);
    now = answer();
    expect((await waiting).status).toBe(200);
  });

  test('ends a gate request after its wait time', async () => {
    const since = performance.now();
    expect((await get(`${GATE}&wait=300ms`)).status).toBe(503);
    expect(performance.now() - since).toBeGreaterThanOrEqual(299);
  });

  test('stops evaluating the gate when the client has left', async () => {
    const client = connect(endpoint.port, '127.0.0.1');
    await once(client, 'connect');
    client.write(`GET ${GATE}&wait=60s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await waitUntil('it looks', () => looks > 0 || undefined);
    client.destroy();
    let before = -1;
    await waitUntil('nobody looks any more', async () => {
      const still = looks === before;
      before = looks;
      await new Promise((resolve) => setTimeout(resolve, 600));
      return still || undefined;
    });
  });

  test('limits the number of waiting gate requests, and ends all of them at a stop', async () => {
    await using own = await startEndpoint({ dependencies: { drain: () => blocked() } });
    const url = `${own.url}${GATE}&wait=60s`;
    const asked = Array.from({ length: 33 }, () => fetch(url));
    expect((await Promise.race(asked)).status).toBe(503);
    const since = performance.now();
    await own.stop();
    for (const each of asked) expect((await each).status).toBe(503);
    expect(performance.now() - since).toBeLessThan(patient(2_000));
  });
});
