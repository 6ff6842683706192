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

test('gives the first turn at once, and the next ones in order, one spacing apart', async () => {
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

test('gives a turn at once after a pause', async () => {
  const pacer = new Pacer(250);
  await pacer.turn(never);
  await vi.advanceTimersByTimeAsync(1_000);
  await pacer.turn(never);
});

test('releases a waiting caller at once when its signal aborts', async () => {
  const pacer = new Pacer(250);
  await pacer.turn(never);
  const controller = new AbortController();
  const turn = pacer.turn(controller.signal);
  controller.abort(new Error('stopping'));
  await expect(turn).rejects.toThrow('stopping');
});
