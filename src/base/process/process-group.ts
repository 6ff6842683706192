import { sleep } from '../async/sleep.ts';

/** Time for the processes of a group to end after SIGTERM, in milliseconds. */
const GRACE_MS = 500;
/** Bound of the wait after SIGKILL, in milliseconds. Only a process stuck in the kernel takes longer. */
const END_MS = 1_000;
const POLL_MS = 10;

/**
 * Ends every process of a group: SIGTERM, then SIGKILL after a grace period. Settles when the group is empty, at the
 * latest after {@link GRACE_MS} + {@link END_MS}. A group with members keeps its id (setpgid(2)), so a call right after
 * the end of the leader is safe. Processes that left the group by setsid(2) stay: see marked-processes.ts.
 */
export async function endProcessGroup(id: number): Promise<void> {
  if (!signalGroup(id, 'SIGTERM')) return;
  if (await isEmptyWithin(id, GRACE_MS)) return;
  if (!signalGroup(id, 'SIGKILL')) return;
  await isEmptyWithin(id, END_MS);
}

async function isEmptyWithin(id: number, ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; ) {
    await sleep(POLL_MS);
    if (!signalGroup(id, 0)) return true;
  }
  return false;
}

/** False if the group is empty. A negative id of kill(2) means the whole group; signal 0 only checks. */
function signalGroup(id: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-id, signal);
  } catch {
    // ESRCH, or EPERM: the remaining processes run as another user, and we may not end them.
    return false;
  }
}
