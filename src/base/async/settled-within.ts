import { follow } from './follow.ts';
import { sleep } from './sleep.ts';

/** Settles with `promise`, after `ms` milliseconds, or when `enough` aborts, whichever is first. Never rejects. */
export async function settledWithin(promise: Promise<unknown>, ms: number, enough?: AbortSignal): Promise<void> {
  const patience = follow(enough);
  const settled = promise.catch(() => {});
  await Promise.race([settled, sleep(Math.max(0, ms), patience.signal).catch(() => {})]);
  patience.end();
}
