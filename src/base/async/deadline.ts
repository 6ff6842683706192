import { DeadlineTimer } from './deadline-timer.ts';
import { follow, onceAborted } from './follow.ts';
import type { Signal } from './signal.ts';

/**
 * Runs `task` with a signal that aborts with `parent`, or after `ms` milliseconds with the error of `expired`. The task
 * must settle once its signal aborts. Timer and listener end with the task.
 */
export async function withDeadline<T>(
  ms: number,
  parent: Signal | undefined,
  expired: () => Error,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  parent?.throwIfAborted();
  const bounded = follow(parent);
  const timer = new DeadlineTimer(ms, () => bounded.end(expired()));
  try {
    return await task(bounded.signal);
  } finally {
    timer.end();
    bounded.end();
  }
}

/** Settles with `promise`, or rejects with the signal's reason once the signal aborts. The promise itself runs on. */
export function abortable<T>(promise: Promise<T>, signal: Signal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {});
      reject(signal.reason);
      return;
    }
    const unwatch = onceAborted(signal, reject);
    promise.then(resolve, reject).finally(unwatch);
  });
}
