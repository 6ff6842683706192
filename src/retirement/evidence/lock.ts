import { readFileSync } from 'node:fs';
import { readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { abortable, withDeadline } from '../../base/async/deadline.ts';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import { privateDirectory } from '../../base/files/private-directory.ts';

const LOCK = 'events.lock';

/** The start of the daemon waits no longer for the disk, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the name, which may contain anything. */
const START_TIME = 19;

/**
 * Locks the evidence of a state directory for this process: two writers would break the chain. The lock is a symbolic link
 * that names its owner; it is atomic and works on a full disk. The lock of a dead owner is taken over. Returns the release
 * function. Rejects with `state_dir_unusable`.
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
    if (isAlive(pid, owner))
      throw new TunnelError('state_dir_unusable', `another daemon (pid ${pid}) uses the state directory ${directory}`, {
        hint: 'Give each daemon its own state_dir.',
      });
    await unlink(path).catch(() => {});
  }
  throw new TunnelError('state_dir_unusable', `cannot lock ${path}: another daemon keeps taking the lock`);
}

/**
 * Takes the state directory for this process, before anything in the directory is read or written. Rejects with
 * `state_dir_unusable` when another daemon holds the directory. A directory that is unusable, or does not answer in time,
 * is no reason to fail: the evidence tries again later, and undefined is returned. Otherwise returns what releases the
 * directory.
 */
export async function ownStateDirectory(
  directory: string,
  patienceMs = PATIENCE_MS,
): Promise<(() => Promise<void>) | undefined> {
  const taken = privateDirectory(directory).then(
    () => takeLock(directory),
    () => undefined,
  );
  const expired = () => new Error('the state directory does not answer');
  try {
    return await withDeadline(patienceMs, undefined, expired, (inTime) => abortable(taken, inTime));
  } catch (error) {
    if (error instanceof TunnelError) throw error;
    return undefined;
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === own) await unlink(path).catch(() => {});
}

/** Pids are reused: start time and boot id distinguish two processes with the same pid. */
function nameOf(pid: number): string {
  return `${pid} ${startOf(pid) ?? '-'} ${bootId()}`;
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

function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? '-';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
