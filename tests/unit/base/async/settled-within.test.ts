import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { settledWithin } from '../../../../src/base/async/settled-within.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('settles with the promise and leaves no timer', async () => {
  await settledWithin(Promise.resolve(1), 1_000);
  expect(vi.getTimerCount()).toBe(0);
});

test('settles after the bound if the promise does not settle', async () => {
  const over = vi.fn();
  void settledWithin(new Promise(() => {}), 1_000).then(over);
  await vi.advanceTimersByTimeAsync(999);
  expect(over).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toHaveBeenCalledOnce();
});

test('settles when the caller stops waiting, and leaves no timer', async () => {
  const enough = new AbortController();
  const waiting = settledWithin(new Promise(() => {}), 1_000, enough.signal);
  enough.abort();
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
});

test('ignores a rejection of the promise, also a late one', async () => {
  await settledWithin(Promise.reject(new Error('no')), 1_000);
});
