import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../../../src/base/text/printable.ts';

test.each([
  ['plain text', 'plain text'],
  ['Straße 東京', 'Straße 東京'],
  ['a\u001b[31mred', 'a\uFFFD[31mred'],
  ['line\r\nline', 'line line'],
  ['\u202eright to left', '\uFFFDright to left'],
  ['x'.repeat(1_001), `${'x'.repeat(1_000)}…`],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('is always short, well-formed and without control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(100), (text, limit) => {
      const shown = printable(text, limit);
      expect(shown.length).toBeLessThanOrEqual(limit + 1);
      expect(shown).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    }),
  );
});
