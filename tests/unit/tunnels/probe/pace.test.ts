import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProbePace } from '../../../../src/tunnels/probe/pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('lets eight probes begin together, and the next one when one of them has ended', async () => {
  const pace = new ProbePace();
  const begun: (() => void)[] = [];
  const turns = Array.from({ length: 10 }, () => pace.turn(() => new Promise<void>((resolve) => begun.push(resolve))));
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toHaveLength(8);
  begun[3]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toHaveLength(9);
  for (let next = 0; next < 10; next++) {
    begun[next]?.();
    await vi.advanceTimersByTimeAsync(0);
  }
  await Promise.all(turns);
});

test('lets the next probes begin after 20 ms, although no target answers', async () => {
  const pace = new ProbePace();
  let begun = 0;
  let end = () => {};
  const never = new Promise<void>((resolve) => {
    end = resolve;
  });
  const turns = Array.from({ length: 400 }, () =>
    pace.turn(() => {
      begun++;
      return never;
    }),
  );
  await vi.advanceTimersByTimeAsync(1_000);
  expect(begun).toBe(400);
  end();
  await Promise.all(turns);
  await vi.advanceTimersByTimeAsync(20);
});

test('gives the result of the probe, and its failure, to the caller', async () => {
  const pace = new ProbePace();
  await expect(pace.turn(async () => 'passing')).resolves.toBe('passing');
  await expect(pace.turn(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
});
