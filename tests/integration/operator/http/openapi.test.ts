import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../../../src/operator/commands/schema.ts';
import { openApiDocument } from '../../../../src/operator/http/openapi/document.ts';
import { PATHS } from '../../../../src/operator/http/openapi/paths.ts';
import { viewPlan } from '../../../../src/retirement/plan/view.ts';
import { type HttpAnswer, httpGet } from '../../../support/clients/http-get.ts';
import { type RunningEndpoint, startEndpoint } from '../../../support/daemon/endpoint.ts';
import { realPlan } from '../../../support/fakes/plan-fixture.ts';
import { linkFixture, statusFixture, tunnelFixture } from '../../../support/fakes/status-fixture.ts';

const document = openApiDocument('0.1.0');
const NOW = '2026-07-20T10:00:00.000Z';
const VERDICT = {
  tunnel: 'state-hub',
  verdict: 'blocked' as const,
  message: 'blocked',
  retired_at: null,
  checked_at: NOW,
  blockers: [
    {
      code: 'recent_use' as const,
      message: 'last used 1h ago by curl',
      since: NOW,
      clears_when: 'no client has used the tunnel for 24h',
      clears_at: NOW,
      clears_by_itself: true,
      examples: ['curl'],
    },
  ],
  unknowns: [],
  rollback: null,
};

/** Every kind of answer: the path asked for, the path and status of the description. */
const ANSWERS = [
  ['/', '/', 200],
  ['/history', '/history', 200],
  ['/history/state-hub', '/history/{tunnel}', 200],
  ['/history/nobody', '/history/{tunnel}', 404],
  ['/status', '/status', 200],
  ['/status?format=text', '/status', 200],
  ['/status?format=xml', '/status', 400],
  ['/status/state-hub', '/status/{tunnel}', 200],
  ['/status/nobody', '/status/{tunnel}', 404],
  ['/livez', '/livez', 200],
  ['/readyz', '/readyz', 200],
  ['/readyz?production=true', '/readyz', 503],
  ['/readyz?production=perhaps', '/readyz', 400],
  ['/readyz/state-hub', '/readyz/{tunnel}', 503],
  ['/readyz/nobody', '/readyz/{tunnel}', 404],
  ['/metrics', '/metrics', 200],
  ['/drain', '/drain', 200],
  ['/drain?x=1', '/drain', 400],
  ['/drain/state-hub', '/drain/{tunnel}', 200],
  ['/drain/state-hub?require=retirable', '/drain/{tunnel}', 503],
  ['/drain/state-hub?wait=1s', '/drain/{tunnel}', 400],
  ['/drain/nobody', '/drain/{tunnel}', 404],
  ['/plan', '/plan', 200],
  ['/events', '/events', 200],
  ['/events?since=yesterday-ish', '/events', 400],
  ['/events?tunnel=nobody', '/events', 404],
  ['/fleet', '/fleet', 200],
  ['/fleet?x=1', '/fleet', 400],
  ['/sd', '/sd', 200],
  ['/sd?x=1', '/sd', 400],
  ['/openapi.json', '/openapi.json', 200],
] as const satisfies readonly (readonly [string, keyof typeof PATHS, number])[];

describe('/openapi.json', () => {
  let endpoint: RunningEndpoint;
  beforeAll(async () => {
    endpoint = await startEndpoint({
      dependencies: {
        drain: (tunnel) => (tunnel === 'state-hub' ? VERDICT : undefined),
        plan: () => viewPlan(realPlan(), [{ name: 'state-hub', drain: { step: '2.4' } }], new Date(NOW)),
      },
    });
    const down = tunnelFixture({ state: 'down', reason: 'the server refuses connections', production: true });
    endpoint.snapshot = statusFixture({ tunnels: [down], links: [linkFixture()] });
    endpoint.lastHour.tick(() => endpoint.snapshot, 0);
  });
  afterAll(() => endpoint.stop());

  const get = (path: string, headers: Record<string, string> = {}) => httpGet(`${endpoint.url}${path}`, { headers });
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ ...document, $id: 'urn:fleet-mesh:api' });

  function faults(path: keyof typeof PATHS, { status, headers, body }: HttpAnswer): unknown {
    const type = (headers['content-type'] ?? '').split(';')[0] ?? '';
    const responses: Record<string, { content?: Record<string, { schema: { $ref?: string } }> }> =
      document.paths[path].get.responses;
    const described = responses[status]?.content?.[type];
    if (described === undefined) return `${status} ${type} is not described for ${path}`;
    const { $ref: reference } = described.schema;
    if (reference === undefined) return undefined;
    const validate = ajv.getSchema(`urn:fleet-mesh:api${reference}`);
    return validate?.(JSON.parse(body)) === true ? undefined : (validate?.errors ?? `no schema ${reference}`);
  }

  it('is the document of this version', async () => {
    const { status, body } = await get('/openapi.json');
    expect([status, JSON.parse(body)]).toEqual([200, document]);
  });

  it('passes the strict recommended rules of a linter', async () => {
    const config = await createConfig({ extends: ['recommended-strict'] });
    const problems = await lintFromString({ source: JSON.stringify(document), config });
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  });

  it.each(ANSWERS)('describes the answer to %s', async (url, path, status) => {
    const answer = await get(url);
    expect(answer.status).toBe(status);
    expect(faults(path, answer)).toBeUndefined();
  });

  it('describes every path with one of the tested answers', () => {
    expect(new Set(ANSWERS.map(([, path]) => path))).toEqual(new Set(Object.keys(PATHS)));
  });

  it('describes the refusal of a foreign host for every path', async () => {
    for (const path of Object.keys(PATHS) as (keyof typeof PATHS)[]) {
      const answer = await get(path.replace('{tunnel}', 'state-hub'), { host: 'evil.example' });
      expect(answer.status).toBe(403);
      expect(faults(path, answer)).toBeUndefined();
    }
  });

  it('rejects an answer with a wrong field', async () => {
    const answer = await get('/status');
    const body = answer.body.replace('"schema": 1', '"schema": 2');
    expect(faults('/status', { ...answer, body })).toBeDefined();
  });

  it('agrees with `fleet-mesh schema status`', () => {
    let printed = '';
    schema('status', { out: (text: string) => (printed += text), err: () => {} } as Parameters<typeof schema>[1]);
    const alone = new Ajv2020({ strict: false });
    addFormats.default(alone);
    const validate = alone.compile(JSON.parse(printed));
    const { Status } = document.components.schemas as Record<string, { required: string[] }>;
    expect(JSON.parse(printed).required).toEqual(Status?.required);
    expect(validate(JSON.parse(JSON.stringify(endpoint.snapshot)))).toBe(true);
  });
});

it('answers with indented JSON that ends with a newline, also for errors', async () => {
  await using endpoint = await startEndpoint();
  for (const path of ['/status', '/livez', '/drain', '/events', '/openapi.json', '/nothing']) {
    const { body } = await httpGet(`${endpoint.url}${path}`);
    expect(body).toBe(`${JSON.stringify(JSON.parse(body), null, 2)}\n`);
  }
});
