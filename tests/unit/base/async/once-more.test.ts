import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { onceMore } from '../../../../src/base/async/once-more.ts';

test('merges all calls during a run into one more run, and runs again at a later call', async () => {
  const ends: (() => void)[] = [];
  const run = onceMore(() => new Promise<void>((resolve) => ends.push(resolve)));
  for (let calls = 0; calls < 500; calls++) run();
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await turn();
  expect(ends).toHaveLength(2);
  ends[1]?.();
  await turn();
  expect(ends).toHaveLength(2);
  run();
  expect(ends).toHaveLength(3);
});
