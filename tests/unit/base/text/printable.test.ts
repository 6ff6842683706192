import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, visible } from '../../../../src/base/text/printable.ts';

test.each([
  ['plain text', 'plain text'],
  ['Straße 東京', 'Straße 東京'],
  ['a\u001b[31mred', 'a\\u001b[31mred'],
  ['line\r\nline', 'line line'],
  ['\u202eright to left', '\\u202eright to left'],
  ['\u200bzero\u2060width\ufeff', '\\u200bzero\\u2060width\\ufeff'],
  ['\u2066isolate\u2069, \u061carabic mark', '\\u2066isolate\\u2069, \\u061carabic mark'],
  ['filler\u3164\u115f\u034f\u2800\ufe0f', 'filler\\u3164\\u115f\\u034f\\u2800\\ufe0f'],
  ['tag\u{e0041}', 'tag\\udb40\\udc41'],
  ['c1\u009b31m', 'c1\\u009b31m'],
  ['half \ud800', 'half \\ud800'],
  ['x'.repeat(1_001), `${'x'.repeat(1_000)}…`],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('is always short, well-formed and without control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(100), (text, limit) => {
      const shown = printable(text, limit);
      expect(shown.length).toBeLessThanOrEqual(limit + 1);
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{DI}]|\\u[0-9a-f]{0,3}…$/u);
    }),
  );
});

test('keeps lines and tabs in text of several lines, and the meaning of JSON', () => {
  expect(visible('a\n\tb\u202e\x1b[0m')).toBe('a\n\tb\\u202e\\u001b[0m');
  expect(visible('\x1b[31mred\x1b[0m\u202e', '\x1b')).toBe('\x1b[31mred\x1b[0m\\u202e');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const json = visible(JSON.stringify({ [text]: text }, null, 2));
      expect(JSON.parse(json)).toEqual({ [text]: text });
      expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{DI}]/u);
    }),
  );
});
