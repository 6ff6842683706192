import { availableParallelism, loadavg } from 'node:os';

/**
 * How long something may take just now that takes `ms` at most on a machine that does nothing else: as much longer as
 * there are processes for each processor. So a bound means what it says on an idle machine, and holds on a busy one.
 */
export function patient(ms: number): number {
  const [lastMinute = 0] = loadavg();
  return ms * Math.max(1, lastMinute / availableParallelism());
}
