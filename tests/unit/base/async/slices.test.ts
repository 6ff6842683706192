import { expect, test } from 'vitest';
import { inSlices } from '../../../../src/base/async/slices.ts';
import { LoopGap } from '../../../support/loop-gap.ts';
import { patient } from '../../../support/patience.ts';

/** Works for about this long in steps of 0.1 ms. */
function* busy(ms: number): Generator<void, number> {
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const step = performance.now() + 0.1;
    while (performance.now() < step);
    yield;
  }
  return ms;
}

test('gives the event loop a turn between the pieces of long work', async () => {
  const gap = new LoopGap();
  await expect(inSlices(busy(100))).resolves.toBe(100);
  expect(gap.stop()).toBeLessThan(patient(20));
});

test('lets several long works take turns', async () => {
  const gap = new LoopGap();
  await Promise.all(Array.from({ length: 10 }, () => inSlices(busy(100))));
  expect(gap.stop()).toBeLessThan(patient(20));
});

test('rejects with the error of the work, and goes on with the next work', async () => {
  // biome-ignore lint/correctness/useYield: fails in its first step
  const failing = function* (): Generator<void, void> {
    throw new Error('broken');
  };
  const first = inSlices(failing());
  const second = inSlices(busy(1));
  await expect(first).rejects.toThrow('broken');
  await expect(second).resolves.toBe(1);
});
