import { describe, expect, test } from 'vitest';
import { parseExactJson } from '../../../../src/base/text/exact-json.ts';
import { describeDifference, differences } from '../../../../src/retirement/cutover/compare.ts';

/** As the side answers it. */
const answer = (value: unknown) => parseExactJson(JSON.stringify(value));

const compare = (fields: string[], tunnel: unknown, successor: unknown) =>
  differences('/state/summary', fields, answer(tunnel), answer(successor)).map(describeDifference);

describe('the comparison of two answers', () => {
  test('looks at the named fields only, and at all that is in them', () => {
    const [here, there] = [
      { tasks: [1, { a: 2 }], at: 1 },
      { at: 2, tasks: [1, { a: 2 }] },
    ];
    expect(compare(['tasks'], here, there)).toEqual([]);
    expect(compare(['tasks'], here, { tasks: [1, { a: 3 }] })).toEqual([
      '/state/summary tasks: [1,{"a":2}] through the tunnel, [1,{"a":3}] at the successor',
    ]);
  });

  test.each<[string, unknown, unknown, string]>([
    ['a field that one side lacks', { tasks: 1 }, {}, '1 through the tunnel, missing at the successor'],
    ['a field that neither has', {}, {}, 'missing on both sides'],
    ['a number that is a string there', { tasks: 1 }, { tasks: '1' }, '1 through the tunnel, "1" at the successor'],
    [
      'a field that is null on both sides',
      { tasks: null },
      { tasks: null },
      'null on both sides, which proves nothing',
    ],
    ['what is inherited', [], [], 'missing on both sides'],
    ['an answer that is no object', 7, null, 'missing on both sides'],
  ])('tells %s', (_, tunnel, successor, expected) => {
    expect(compare(['tasks'], tunnel, successor)).toEqual([`/state/summary tasks: ${expected}`]);
  });

  test('loses no digit of a number', () => {
    const side = (digits: string) => parseExactJson(`{"id":${digits}}`);
    const told = (a: string, b: string) => differences('/', ['id'], side(a), side(b)).map(describeDifference);
    expect(told('9007199254740993', '9007199254740992')).toEqual([
      '/ id: 9007199254740993 through the tunnel, 9007199254740992 at the successor',
    ]);
    expect(told('9007199254740993', '9007199254740993.0')).toEqual([]);
  });

  test('shortens values, and lets nothing through to a terminal', () => {
    const [line = ''] = compare(['tasks'], { tasks: `\u001b[2J${'x'.repeat(10_000)}` }, { tasks: 1 });
    expect(line.length).toBeLessThan(200);
    expect(line).not.toContain('\u001b');
  });
});
