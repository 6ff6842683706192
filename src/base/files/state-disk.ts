import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Turns } from '../async/turns.ts';
import { errnoOf } from '../errors.ts';
import { privateDirectory } from './private-directory.ts';
import { readRegular } from './regular-file.ts';
import { stateError } from './state-error.ts';
import { writeAtomically } from './write-atomically.ts';

/**
 * All state files of this process take turns. The thread pool is shared by the process: a disk that hangs must hold one
 * of its few threads, not all of them, because the names of hosts are resolved there, too.
 */
const oneAtATime = new Turns();

/** Makes the disk of one state file. */
export type DiskAt = (place: readonly [string, ...string[]], name: string) => Pick<StateDisk, 'read' | 'change'>;

/** The text of one state file on the disk. No call is bounded in time. */
export class StateDisk {
  readonly #place: readonly [string, ...string[]];
  readonly #path: string;
  readonly #claim: () => Promise<void>;
  /** Whether the last write found a good directory. */
  #placed = false;

  /**
   * @param place the state directory, and the directories below it
   * @param claim makes sure before each change that the state directory belongs to this process; rejects if it does not
   */
  constructor(place: readonly [string, ...string[]], name: string, claim: () => Promise<void> = async () => {}) {
    this.#place = place;
    this.#claim = claim;
    this.#path = join(...place, name);
  }

  /** Undefined if the file does not exist. Rejects with the error of the disk. */
  read(): Promise<string | undefined> {
    return oneAtATime.take(async () => {
      try {
        return (await readRegular(this.#path)).toString('utf8');
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  /** Replaces the text atomically; undefined removes the file. Rejects with `state_dir_unusable`. */
  async change(text: string | undefined): Promise<void> {
    await this.#claim();
    return oneAtATime.take(() => (text === undefined ? this.#remove() : this.#put(text)));
  }

  async #remove(): Promise<void> {
    await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw stateError('removed', this.#path, error);
    });
  }

  /**
   * Checks a good directory again only after a failed write: writes are many, and each check is several system calls.
   */
  async #put(text: string): Promise<void> {
    const put = () => writeAtomically(this.#path, text);
    if (this.#placed) {
      const done = await put().then(
        () => true,
        () => false,
      );
      if (done) return;
    }
    this.#placed = false;
    await privateDirectory(...this.#place);
    await put();
    this.#placed = true;
  }
}
