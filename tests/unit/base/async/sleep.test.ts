import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sleep } from '../../../../src/base/async/sleep.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Counts the listeners that remain on a signal. */
function counted(): { controller: AbortController; listeners(): number } {
  const controller = new AbortController();
  let count = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  vi.spyOn(signal, 'addEventListener').mockImplementation((...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  });
  vi.spyOn(signal, 'removeEventListener').mockImplementation((...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  });
  return { controller, listeners: () => count };
}

test('settles after its time and leaves no listener', async () => {
  const { controller, listeners } = counted();
  let awake = false;
  const sleeping = sleep(1_000, controller.signal).then(() => {
    awake = true;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(awake).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await sleeping;
  expect(awake).toBe(true);
  expect(listeners()).toBe(0);
});

test('rejects at once with the reason of an abort and leaves no timer', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
});

test('starts no timer if the signal has already aborted', async () => {
  await expect(sleep(60_000, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
});
