import { setTimeout as pause } from 'node:timers/promises';
import { patient } from './patience.ts';

const USUAL_MS = 25_000;

/** Ends what hangs, and measures nothing: later on a busy machine, before the limit of any test. */
const usual = () => Math.min(Math.round(patient(USUAL_MS)), 100_000);

/**
 * Waits until `probe` gives a value that is neither undefined nor false, and returns it; fails loudly after
 * `ms`, on a busy machine later, and never before the usual patience is over. Whoever bounds a duration asserts that.
 * For states that nothing announces; where there is an event, wait for the event. Not moved by fake timers, on purpose.
 */
export async function waitUntil<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 0,
  explain: () => string = () => '',
): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    const waitedMs = performance.now() - startedAt;
    // The load is read late, because each look at the kernel's figures takes processor time from the awaited state.
    if (waitedMs > Math.max(ms, USUAL_MS)) {
      const limitMs = Math.max(Math.round(patient(ms)), usual());
      if (waitedMs > limitMs) throw new Error(`not within ${limitMs} ms: ${what}\n${explain()}`.trimEnd());
    }
    // Who waits for long would keep a processor busy with asking: a status of the daemon costs 4 ms.
    await pause(Math.min(100, 10 + waitedMs / 25));
  }
}

/** Settles with `promise`, or fails loudly after `ms`, on a busy machine later. */
export async function within<T>(what: string, promise: Promise<T>, idleMs?: number): Promise<T> {
  const ms = idleMs === undefined ? usual() : Math.round(patient(idleMs));
  const timer = new AbortController();
  const expired = pause(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not within ${ms} ms: ${what}`);
  });
  expired.catch(() => {});
  try {
    return await Promise.race([promise, expired]);
  } finally {
    timer.abort();
  }
}
