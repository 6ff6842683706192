import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { abortable, withDeadline } from '../../../../src/base/async/deadline.ts';

const expired = () => new Error('expired');

/** Settles only when its signal aborts. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('withDeadline', () => {
  test('returns the result of the task and clears the timer', async () => {
    await expect(withDeadline(1_000, undefined, expired, async () => 42)).resolves.toBe(42);
  });

  test('rejects with the error of the task', async () => {
    const task = () => Promise.reject(new Error('of its own'));
    await expect(withDeadline(1_000, undefined, expired, task)).rejects.toThrow('of its own');
  });

  test('aborts the task after the deadline with the error of expired()', async () => {
    const result = withDeadline(1_000, undefined, expired, untilAborted);
    result.catch(() => {});
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(result).rejects.toThrow('expired');
  });

  test('aborts the task with the reason of the parent', async () => {
    const parent = new AbortController();
    const result = withDeadline(1_000, parent.signal, expired, untilAborted);
    parent.abort(new Error('stopping'));
    await expect(result).rejects.toThrow('stopping');
  });

  test('starts no task if the parent has already aborted', async () => {
    const task = vi.fn(async () => 1);
    await expect(withDeadline(1_000, AbortSignal.abort(new Error('over')), expired, task)).rejects.toThrow('over');
    expect(task).not.toHaveBeenCalled();
  });

  test('aborts the leftovers of a settled task', async () => {
    let left: AbortSignal | undefined;
    await withDeadline(1_000, undefined, expired, async (signal) => {
      left = signal;
    });
    expect(left?.aborted).toBe(true);
  });
});

describe('abortable', () => {
  test('settles with the promise', async () => {
    await expect(abortable(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
  });

  test('rejects at the abort even if the promise never settles', async () => {
    const controller = new AbortController();
    const result = abortable(new Promise(() => {}), controller.signal);
    controller.abort(new Error('enough'));
    await expect(result).rejects.toThrow('enough');
  });

  test('causes no unhandled rejection when the promise rejects after the abort', async () => {
    const result = abortable(Promise.reject(new Error('late')), AbortSignal.abort(new Error('enough')));
    await expect(result).rejects.toThrow('enough');
  });
});
