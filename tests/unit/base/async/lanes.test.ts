import { expect, it } from 'vitest';
import { Lanes } from '../../../../src/base/async/lanes.ts';

it('runs at most so many tasks at a time, in order, and goes on after a failure', async () => {
  const lanes = new Lanes(2);
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const results = [0, 1, 2, 3].map((index) =>
    lanes.take(async () => {
      started.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 0) throw new Error('failed');
      return index;
    }),
  );
  const settled = Promise.allSettled(results);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(started).toEqual([0, 1]);
  ends[0]?.();
  await turn();
  expect(started).toEqual([0, 1, 2]);
  ends[2]?.();
  ends[1]?.();
  await turn();
  expect(started).toEqual([0, 1, 2, 3]);
  ends[3]?.();
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
});
