import { it } from 'vitest';
import { has } from '../support/machine/capabilities.ts';
import { play } from './play.ts';
import type { FaultRow } from './row.ts';

/** Each row is a test; `together` for rows that bound no duration of a request, so that they may share the machine. */
export function playAll(rows: readonly FaultRow[], { together = false } = {}): void {
  for (const row of rows) {
    const possible = (['sshd', 'python3', ...(row.needs ?? [])] as const).every(has);
    const test = it.skipIf(!possible);
    if (together) test.concurrent(row.fault, () => play(row));
    else test(row.fault, () => play(row));
  }
}
