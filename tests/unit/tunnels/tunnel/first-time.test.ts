import { expect, it } from 'vitest';
import { FirstTime } from '../../../../src/tunnels/tunnel/first-time.ts';

it('is new once, and nothing is once the memory is full', () => {
  const first = new FirstTime(2);
  expect(['a', 'a', 'b', 'c', 'a'].map((text) => first.of(text))).toEqual([true, false, true, false, false]);
  first.clear();
  expect(first.of('a')).toBe(true);
});
