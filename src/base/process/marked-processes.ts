import { readdir, readFile } from 'node:fs/promises';
import { sleep } from '../async/sleep.ts';

/** The variable that marks the processes of one run. */
const NAME = 'FLEET_MESH_RUN';
/** Time for the processes to end after SIGTERM, in milliseconds. */
const GRACE_MS = 500;
/** Bound of the search after SIGKILL, in milliseconds. Only a process stuck in the kernel takes longer. */
const END_MS = 3_500;
const POLL_MS = 50;

/** The environment for the processes of the run `id`. They inherit the mark, also those that leave their group. */
export function marked(env: NodeJS.ProcessEnv, id: string): NodeJS.ProcessEnv {
  return { ...env, [NAME]: id };
}

/**
 * Ends every process of the run `id`: SIGTERM, then SIGKILL after a grace period. Finds also those that left their process
 * group by setsid(2), but not those with a cleared environment or of another user. Settles when none is left, at the
 * latest {@link END_MS} after SIGKILL.
 */
export async function endMarked(id: string): Promise<void> {
  const from = performance.now();
  const told = new Set<number>();
  // Counted from SIGKILL: on a busy machine one search may take longer than all the time.
  let killedAt = Number.POSITIVE_INFINITY;
  while (performance.now() - killedAt < END_MS) {
    const isOver = performance.now() - from >= GRACE_MS;
    const left = await findMarked(id);
    if (left.length === 0) return;
    for (const pid of left) {
      if (isOver) end(pid, 'SIGKILL');
      else if (!told.has(pid)) end(pid, 'SIGTERM');
      told.add(pid);
    }
    if (isOver) killedAt = Math.min(killedAt, performance.now());
    await sleep(POLL_MS);
  }
}

async function findMarked(id: string): Promise<number[]> {
  const wanted = `${NAME}=${id}`;
  const names = await readdir('/proc').catch((): string[] => []);
  const found: number[] = [];
  for (const name of names) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // Empty for a process that has ended; not readable for another user's process (proc(5), environ).
    const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environ.split('\0').includes(wanted)) found.push(pid);
  }
  return found;
}

function end(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has just ended.
  }
}
