import { readFileSync } from 'node:fs';
import { readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import { bootId } from '../../base/this-machine.ts';

const LOCK = 'events.lock';

/** Another process has the state directory. */
export class DirectoryTaken extends TunnelError {
  constructor(directory: string, pid: string | undefined) {
    const who = pid === undefined ? 'another process' : `another daemon (pid ${pid})`;
    super('state_dir_unusable', `${who} uses the state directory ${directory}`, {
      hint: 'Give each daemon its own state_dir.',
    });
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the name, which may contain anything. */
const START_TIME = 19;

/**
 * Marks a state directory as that of this process. The mark is a symbolic link that names its owner; it is atomic and works
 * on a full disk. The mark of a dead owner is taken over. Returns the release function. Rejects with
 * {@link DirectoryTaken} or the error of the disk.
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK);
  const own = nameOf(process.pid);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await symlink(own, path);
      return () => release(path, own);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const owner = await readlink(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (owner === undefined) continue;
    // Held since the start of this daemon: never let go in between.
    if (owner === own) return () => release(path, own);
    const pid = Number(owner.split(' ')[0]);
    if (isAlive(pid, owner)) throw new DirectoryTaken(directory, String(pid));
    await unlink(path).catch(() => {});
  }
  throw new TunnelError('state_dir_unusable', `cannot lock ${path}: another daemon keeps taking the lock`);
}

/** Who has the lock, in words for a person; the process may have ended. */
export async function holderOf(directory: string): Promise<string | undefined> {
  const owner = await readlink(join(directory, LOCK)).catch(() => undefined);
  return owner?.split(' ')[0];
}

async function release(path: string, own: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === own) await unlink(path).catch(() => {});
}

/** Pids are reused: start time and boot id distinguish two processes with the same pid. */
function nameOf(pid: number): string {
  return `${pid} ${startOf(pid) ?? '-'} ${bootId() ?? '-'}`;
}

function isAlive(pid: number, name: string): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (startOf(process.pid) !== undefined) return nameOf(pid) === name;
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
