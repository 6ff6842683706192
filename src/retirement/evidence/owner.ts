import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { settledWithin } from '../../base/async/settled-within.ts';
import { sleep } from '../../base/async/sleep.ts';
import { Turns } from '../../base/async/turns.ts';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import { privateDirectory, privateRoot } from '../../base/files/private-directory.ts';
import { type DiskAt, StateDisk } from '../../base/files/state-disk.ts';
import { stateError } from '../../base/files/state-error.ts';
import { answered } from '../../base/files/state-file.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Advisory } from '../../telemetry/status/advisory.ts';
import { type KernelLock, lockDescriptor } from './kernel-lock.ts';
import { DirectoryTaken, holderOf, takeLock } from './lock.ts';

/** The start of the daemon waits no longer for the disk, in milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * A lock that is taken is tried again for a second: an owner that was killed a moment ago may have left a flock(1) behind,
 * which ends by itself.
 */
const MOST_ATTEMPTS = 5;
const ATTEMPT_MS = 250;

interface Held {
  /** The directory itself, locked by the kernel if it can. */
  readonly handle: FileHandle;
  readonly unlink: () => Promise<void>;
}

export interface OwnerDependencies {
  readonly log: Pick<Logger, 'warn'>;
  /** Locks an open file; default flock(2). */
  readonly lock?: (fd: number) => Promise<KernelLock>;
  readonly patienceMs?: number;
}

/**
 * The one owner of a state directory. The kernel locks the directory itself, and releases it at the death of this process.
 * A symbolic link beside the evidence names the owner for people, and keeps out a daemon without flock(1).
 */
export class StateDirectoryOwner {
  readonly #directory: string;
  readonly #deps: OwnerDependencies;
  readonly #turns = new Turns();
  #held: Held | undefined;
  #weak = false;

  /** The constructor touches no file. */
  constructor(directory: string, deps: OwnerDependencies) {
    this.#directory = directory;
    this.#deps = deps;
  }

  /** The disk of a state file: nothing is written before this process has the directory. */
  readonly disk: DiskAt = (place, name) => new StateDisk(place, name, () => this.claim());

  /**
   * Takes the directory before anything in it is read or written. Rejects with {@link DirectoryTaken} when another process
   * has it. A directory that is unusable or does not answer is no reason to fail: the evidence claims it later.
   */
  async claimAtStart(): Promise<void> {
    await this.claim().catch((error: unknown) => {
      if (error instanceof DirectoryTaken) throw error;
    });
  }

  /**
   * Makes the directory if it is missing, and takes it, unless this process has it already. A directory that was replaced is
   * another directory. Rejects with `state_dir_unusable`.
   */
  claim(): Promise<void> {
    const { patienceMs: withinMs = PATIENCE_MS } = this.#deps;
    return answered(() => this.#turns.take(() => this.#claim()), { withinMs }).catch((error: unknown) => {
      throw error instanceof TunnelError ? error : stateError('read', this.#directory, error);
    });
  }

  /** Gives the directory back. Bounded: the kernel does the same at the death of this process. */
  async release(withinMs: number): Promise<void> {
    await settledWithin(
      this.#turns.take(() => this.#letGo()),
      withinMs,
    );
  }

  advisories(): Advisory[] {
    if (!this.#weak) return [];
    const message = `the kernel does not lock ${this.#directory}: flock is missing or fails there; a second daemon in another container is not noticed`;
    return [{ code: 'state_dir_lock_weak', message }];
  }

  async #claim(): Promise<void> {
    if (this.#held && (await isAt(this.#held.handle, this.#directory))) return;
    await this.#letGo();
    await privateRoot(this.#directory);
    const handle = await open(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY).catch((error: unknown) => {
      throw stateError('read', this.#directory, error);
    });
    try {
      this.#held = { handle, unlink: await this.#lock(handle) };
      // Only the owner may remove what interrupted writes have left.
      await privateDirectory(this.#directory);
    } catch (error) {
      await (this.#held ? this.#letGo() : handle.close());
      throw error;
    }
  }

  async #lock(handle: FileHandle): Promise<() => Promise<void>> {
    const { lock = lockDescriptor, log } = this.#deps;
    let kernel = await lock(handle.fd);
    for (let attempt = 1; kernel === 'taken' && attempt < MOST_ATTEMPTS; attempt++) {
      await sleep(ATTEMPT_MS);
      kernel = await lock(handle.fd);
    }
    if (kernel === 'taken') throw new DirectoryTaken(this.#directory, await holderOf(this.#directory));
    this.#weak = kernel === 'unavailable';
    for (const { code, message } of this.advisories()) log.warn({ event: 'state_dir.lock_weak', code }, message);
    return takeLock(this.#directory).catch((error: unknown) => {
      // The kernel's lock is enough on a disk that is full or read-only.
      if (this.#weak || error instanceof DirectoryTaken) throw error;
      return async () => {};
    });
  }

  async #letGo(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    await held?.unlink();
    await held?.handle.close();
  }
}

/** Rejects when the disk cannot tell: then the lock stays. */
async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const missing = (error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  };
  const [own, there] = await Promise.all([handle.stat(), stat(path).catch(missing)]);
  return own.dev === there?.dev && own.ino === there.ino;
}
