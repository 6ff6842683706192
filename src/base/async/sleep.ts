import type { Signal } from './signal.ts';
/**
 * Waits `ms` milliseconds; rejects with the signal's reason when the signal aborts. Uses the global `setTimeout`, so
 * fake timers control every periodic task of this program.
 */
export function sleep(ms: number, signal?: Signal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
