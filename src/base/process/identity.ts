import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { bootId } from '../this-machine.ts';

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the name, which may contain anything. */
const START_TIME = 19;

/** `PID START BOOT`: pids are reused, so start time and boot id distinguish two processes with the same pid. */
export function processIdentity(pid: number): string {
  return `${pid} ${startOf(pid) ?? '-'} ${bootId() ?? '-'}`;
}

/** The pid in an identity; NaN for any other text. */
export function pidOf(identity: string): number {
  return Number(identity.split(' ')[0]);
}

/** Whether the process with this identity still runs. */
export function isRunning(identity: string): boolean {
  const pid = pidOf(identity);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (startOf(process.pid) !== undefined) return processIdentity(pid) === identity;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
