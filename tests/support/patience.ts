import { availableParallelism, loadavg } from 'node:os';

/** Of a timer of Node: more overflows, and ends at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * How long something may take just now that takes `ms` at most on a machine that does nothing else: as much longer as
 * there are processes for each processor. So a bound means what it says on an idle machine, and holds on a busy one.
 */
export function patient(ms: number): number {
  const [lastMinute = 0] = loadavg();
  // Whole milliseconds: the time-out of a child process takes no fractions.
  return Math.min(LONGEST_MS, Math.ceil(ms * Math.max(1, lastMinute / availableParallelism())));
}
