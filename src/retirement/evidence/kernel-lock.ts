import { runBounded } from '../../base/process/run-bounded.ts';

/** `unavailable`: the program is missing, or the file system has no such locks. */
export type KernelLock = 'locked' | 'taken' | 'unavailable';

/** flock(1) does not wait, so a longer run means a file system that does not answer, in milliseconds. */
const TIMEOUT_MS = 5_000;
const MOST_OUTPUT = 4_096;

/** flock(1): somebody else has the lock. */
const TAKEN = 1;

/**
 * Locks the open file of this descriptor with flock(2), which Node lacks. The lock belongs to the open file, not to the
 * process that asked for it: it lasts until this process closes the descriptor or dies, however it dies.
 */
export async function lockDescriptor(fd: number, env: NodeJS.ProcessEnv = process.env): Promise<KernelLock> {
  const { PATH } = env;
  const outcome = await runBounded(
    {
      argv: ['flock', '-xn', '3'],
      env: PATH === undefined ? {} : { PATH },
      timeoutMs: TIMEOUT_MS,
      stdoutLimit: MOST_OUTPUT,
      stderrLimit: MOST_OUTPUT,
      descriptors: [fd],
    },
    new AbortController().signal,
  );
  if (outcome.kind !== 'exited') return 'unavailable';
  if (outcome.code === 0) return 'locked';
  return outcome.code === TAKEN ? 'taken' : 'unavailable';
}
