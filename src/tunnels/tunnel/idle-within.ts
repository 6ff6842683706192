import { sleep } from '../../base/async/sleep.ts';
import type { Forward } from '../forward/forward.ts';

/** Waits until nothing is open or waiting on the forward any more, `ms` are over, or `enough` aborts. */
export async function idleWithin(forward: Pick<Forward, 'whenIdle'>, ms: number, enough: AbortSignal): Promise<void> {
  const patience = new AbortController();
  const lose = () => patience.abort();
  enough.addEventListener('abort', lose, { once: true });
  if (enough.aborted) lose();
  await Promise.race([forward.whenIdle(), sleep(ms, patience.signal).catch(() => {})]);
  lose();
  enough.removeEventListener('abort', lose);
}
