import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

/** Of a timer of Node: more overflows, and ends at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * How long something may take just now that takes `ms` at most on a machine that does nothing else: as much longer as
 * there are processes for each processor. So a bound means what it says on an idle machine, and holds on a busy one.
 */
export function patient(ms: number): number {
  const [lastMinute = 0] = loadavg();
  const load = Math.max(lastMinute, running());
  // Whole milliseconds: the time-out of a child process takes no fractions.
  return Math.min(LONGEST_MS, Math.ceil(ms * Math.max(1, load / availableParallelism())));
}

/** How many tasks run or wait for a processor now (proc(5), loadavg): the average of a minute tells late of a new load. */
function running(): number {
  try {
    return Number(/ (\d+)\/\d+ /.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
