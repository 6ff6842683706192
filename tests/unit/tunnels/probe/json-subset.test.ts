import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../../../src/config/config.ts';
import { difference } from '../../../../src/tunnels/probe/json-subset.ts';

test.each<[JsonValue, unknown, string | undefined]>([
  [{ status: 'ok' }, { status: 'ok', more: 1 }, undefined],
  [{ status: 'ok' }, { status: 'degraded' }, 'field status is "degraded", expected "ok"'],
  [{ status: 'ok' }, {}, 'field status is missing, expected "ok"'],
  [{ status: 'ok' }, { status: null }, 'field status is null, expected "ok"'],
  [{ status: 'ok' }, ['ok'], 'the answer is a list of 1, expected an object'],
  [{ status: 'ok' }, null, 'the answer is null, expected an object'],
  [{ a: { b: [1, { c: true }] } }, { a: { b: [1, { c: true, d: 0 }] } }, undefined],
  [{ a: { b: [1, { c: true }] } }, { a: { b: [1, { c: false }] } }, 'field a.b[1].c is false, expected true'],
  [{ a: [1] }, { a: [1, 2] }, 'field a is a list of 2, expected a list of 1'],
  [{ a: {} }, { a: 5 }, 'field a is 5, expected an object'],
  [{ toString: 'x' }, {}, 'field toString is missing, expected "x"'],
  [{ n: 1 }, { n: '1' }, 'field n is "1", expected 1'],
  ['ok', 'no', 'the answer is "no", expected "ok"'],
  [null, null, undefined],
])('%j in %j: %s', (expected, actual, found) => {
  expect(difference(expected, actual)).toBe(found);
});

test('shortens and cleans quoted parts of the answer', () => {
  const found = difference({ a: 'ok' }, { a: `\u009b31m${'x'.repeat(500)}` });
  expect(found?.length).toBeLessThan(130);
  expect(found).not.toContain('\u009b');
});

test('finds no difference between equal values, and accepts an answer of any depth', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const copy: JsonValue = JSON.parse(JSON.stringify(value));
      expect(difference(copy, structuredClone(copy))).toBeUndefined();
    }),
  );
  const deep: unknown = JSON.parse('['.repeat(30_000) + ']'.repeat(30_000));
  expect(difference({ a: 1 }, { a: deep })).toBe('field a is a list of 1, expected 1');
});
