import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Pacer } from '../../../../src/tunnels/link/pacer.ts';

const never = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('the first turn is at once, the following ones a spacing apart, in order', async () => {
  const pacer = new Pacer(250);
  const turns: [string, number][] = [];
  const start = performance.now();
  for (const name of ['a', 'b', 'c']) {
    void pacer.turn(never).then(() => turns.push([name, performance.now() - start]));
  }
  await vi.advanceTimersByTimeAsync(1_000);
  expect(turns).toEqual([
    ['a', 0],
    ['b', 250],
    ['c', 500],
  ]);
});

test('after a quiet time a turn is at once again', async () => {
  const pacer = new Pacer(250);
  await pacer.turn(never);
  await vi.advanceTimersByTimeAsync(1_000);
  await pacer.turn(never);
});

test('who stops waiting is let go at once', async () => {
  const pacer = new Pacer(250);
  await pacer.turn(never);
  const controller = new AbortController();
  const turn = pacer.turn(controller.signal);
  controller.abort(new Error('stopping'));
  await expect(turn).rejects.toThrow('stopping');
});
