import { expect, test } from 'vitest';
import { z } from 'zod';
import { decodeStatus } from '../../../../src/telemetry/status/decode-status.ts';
import { statusFixture } from '../../../support/fakes/status-fixture.ts';

const json = (status: unknown): unknown => JSON.parse(JSON.stringify(status));

test('decodes the JSON of a snapshot', () => {
  expect(decodeStatus(json(statusFixture()))).toEqual(statusFixture());
});

test('keeps unknown fields of a newer daemon', () => {
  const newer = json(statusFixture()) as { tunnels: { usage: object }[] };
  Object.assign(newer, { mood: 'good' });
  Object.assign(newer.tunnels[0]?.usage ?? {}, { noticed_at: '2027-01-01T00:00:00Z' });
  const decoded = decodeStatus(newer);
  expect(json(decoded)).toEqual(newer);
  expect(decoded.now).toEqual(statusFixture().now);
});

test.each([
  ['a value that is no object', 'up'],
  ['another schema', { ...statusFixture(), schema: 2 }],
  ['an invalid time', { ...(json(statusFixture()) as object), now: 'noon' }],
  ['an unknown field beside a missing one', { ...(json(statusFixture()) as object), mood: 'good', tunnels: undefined }],
])('refuses %s', (_, value) => {
  expect(() => decodeStatus(value)).toThrow(z.ZodError);
});
