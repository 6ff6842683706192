import { expect, test } from 'vitest';
import { formatSpan } from '../../../../src/base/text/span.ts';

test.each([
  [-5, '0s'],
  [0, '0s'],
  [999, '0s'],
  [12_400, '12s'],
  [60_000, '1m'],
  [62_000, '1m 2s'],
  [3_600_000, '1h'],
  [3_605_000, '1h'],
  [7_260_000, '2h 1m'],
  [90_000_000, '1d 1h'],
])('%i ms is %s', (ms, text) => {
  expect(formatSpan(ms)).toBe(text);
});
