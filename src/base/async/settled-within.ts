import { onceAborted } from './follow.ts';

/** Settles with `promise`, after `ms` milliseconds, or when `enough` aborts, whichever is first. Never rejects. */
export function settledWithin(promise: Promise<unknown>, ms: number, enough?: AbortSignal): Promise<void> {
  // Without a signal of its own: each probe waits twice, and an abort costs more than the rest of a wait.
  return new Promise((resolve) => {
    const timer = setTimeout(() => over(), Math.max(0, ms));
    let unwatch = () => {};
    const over = () => {
      clearTimeout(timer);
      unwatch();
      resolve();
    };
    unwatch = onceAborted(enough, over);
    promise.then(over, over);
  });
}
