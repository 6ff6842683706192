import { sleep } from '../async/sleep.ts';

/** How long the processes of a group may tidy up after SIGTERM. */
const GRACE_MS = 500;
/** After SIGKILL: how long their end is waited for. Only a process stuck in the kernel takes longer. */
const END_MS = 1_000;
const POLL_MS = 10;

/**
 * Ends every process of a group: SIGTERM, after a grace SIGKILL. Settles once the group is empty, at the latest after
 * {@link GRACE_MS} + {@link END_MS}. While a group has members its id is given to no other process (setpgid(2)), so it is
 * safe to call at once after the leader has ended. Who left the group by setsid(2) is not reached.
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

/** False once nobody is there. kill(2) with a negative id: the whole group; signal 0 only asks. */
function signalGroup(id: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-id, signal);
  } catch {
    // ESRCH; or EPERM: what is left runs as another user and is not ours to end.
    return false;
  }
}
