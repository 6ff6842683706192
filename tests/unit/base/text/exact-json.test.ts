import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactJsonText, parseExactJson } from '../../../../src/base/text/exact-json.ts';

describe(parseExactJson, () => {
  it.each([
    ['9007199254740993', '9007199254740992'],
    ['0.1', '0.10000000000000000001'],
    ['1e400', '1e401'],
    ['1', '-1'],
    ['1', '"1"'],
    ['[1,2]', '[1,3]'],
    ['1', '"\\u00001"'],
  ])('tells %s from %s', (a, b) => expect(parseExactJson(a)).not.toEqual(parseExactJson(b)));

  it.each([
    ['1', '1.0'],
    ['100', '1e2'],
    ['-0', '0.000'],
    ['123.4500', '12345e-2'],
    ['1e-50', '0.1E-49'],
    ['{"a":1}', ' { "a" : 1.00 } '],
    ['9007199254740993', '9007199254740993.0'],
  ])('takes %s for %s', (a, b) => expect(parseExactJson(a)).toEqual(parseExactJson(b)));

  it('refuses what JSON.parse refuses', () => {
    for (const text of ['', '01', '1.', '{"a":1', 'NaN', '"a'])
      expect(() => parseExactJson(text), text).toThrow(SyntaxError);
  });

  it('changes nothing else of any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.parse(exactJsonText(parseExactJson(text)) ?? '')).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe(exactJsonText, () => {
  it.each(['9007199254740993', '[1,"a",null,{"b":-2.5}]', '"\\u00001"', '"1"'])('writes %s as it was', (text) =>
    expect(exactJsonText(parseExactJson(text))).toBe(text),
  );
});
