import { readdirSync, readFileSync } from 'node:fs';

/** The parent of a live process, from /proc; undefined for an ended process or a zombie. */
function parentOf(pid: number): number | undefined {
  try {
    // The second field is the name in parentheses, and may itself contain spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

/** Whether the process is alive; a zombie is not. */
export function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

/** All live processes below `pid`, parents before children. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = [...(children.get(pid) ?? [])];
  for (const each of found) found.push(...(children.get(each) ?? []));
  return found;
}

/** Live children of a process, oldest first (as long as pids have not wrapped around). */
export function childrenOf(pid: number): number[] {
  return descendantsOf(pid)
    .filter((each) => parentOf(each) === pid)
    .sort((a, b) => a - b);
}

/** The short name of the program from the kernel; '' for an ended process. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Sends a signal; an ended process is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Kills the processes and all descendants. All are stopped first, parents before children, because a stopped process
 * cannot fork.
 */
export function killTrees(pids: readonly number[]): void {
  const doomed = new Set(pids);
  for (const pid of doomed) {
    signal(pid, 'SIGSTOP');
    for (const child of childrenOf(pid)) doomed.add(child);
  }
  for (const pid of doomed) signal(pid, 'SIGKILL');
}

/** Whether the process has a handler for the signal of this number (proc(5), `SigCgt`). */
export function catches(pid: number, signalNumber: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signalNumber - 1)) & 1n) === 1n;
}
