import { it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { play } from './play.ts';
import type { FaultRow } from './row.ts';

/** Makes each row a test. `together`: rows that do not measure the time of requests may run at once. */
export function playAll(rows: readonly FaultRow[], { together = false } = {}): void {
  for (const row of rows) {
    const possible = (['sshd', 'python3', ...(row.needs ?? [])] as const).every(has);
    const test = it.skipIf(!possible);
    const title = `recovers after the fault: ${row.fault}`;
    if (together) test.concurrent(title, () => play(row));
    else test(title, () => play(row));
  }
}
