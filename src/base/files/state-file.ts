import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { abortable, withDeadline } from '../async/deadline.ts';
import { Turns } from '../async/turns.ts';
import { errnoOf, TunnelError } from '../errors.ts';
import { privateDirectory } from './private-directory.ts';
import { stateError } from './state-error.ts';
import { writeAtomically } from './write-atomically.ts';

/** A disk that needs longer for one write counts as not answering, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface WriteOptions {
  /** Bound of the wait, in milliseconds. The write itself goes on after the bound. */
  readonly withinMs?: number | undefined;
  /** Ends the wait, not the write. After the abort no new write begins. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One JSON file of the state directory. Reads are checked against the schema; writes are atomic and one at a time.
 * Every method rejects with `state_dir_unusable`. No change waits for the disk longer than its bound.
 */
export class StateFile<Content> {
  readonly path: string;
  readonly #place: readonly [string, ...string[]];
  readonly #schema: z.ZodType<Content>;
  readonly #turns = new Turns();
  /** Whether the last write found a good directory. */
  #placed = false;

  /** @param place the state directory, and the directories below it. The constructor touches no file. */
  constructor(place: readonly [string, ...string[]], name: string, schema: z.ZodType<Content>) {
    this.#place = place;
    this.path = join(...place, name);
    this.#schema = schema;
  }

  /** Undefined if the file does not exist. A file that does not match the schema is an error. */
  async read(): Promise<Content | undefined> {
    try {
      return this.#schema.parse(JSON.parse(await readFile(this.path, 'utf8')));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw stateError('read', this.path, error);
    }
  }

  /** Settles when the content is on the disk. */
  write(content: Content, options: WriteOptions = {}): Promise<void> {
    return answered(() => this.#turns.take(() => this.#put(`${JSON.stringify(content)}\n`)), options);
  }

  /** Removes the file, with the bound of {@link write}. A missing file is no error. */
  forget(options: WriteOptions = {}): Promise<void> {
    const forget = async () => {
      await unlink(this.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw stateError('removed', this.path, error);
      });
    };
    return answered(() => this.#turns.take(forget), options);
  }

  /**
   * Checks a good directory again only after a failed write: writes are many, and each check is several system calls.
   */
  async #put(text: string): Promise<void> {
    const put = () => writeAtomically(this.path, text);
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

/**
 * The one bound of every change to the state directory. Rejects with `state_dir_unusable` when the disk does not answer
 * in time; the change itself runs on.
 */
export function answered(
  change: () => Promise<void>,
  { withinMs = PATIENCE_MS, signal }: WriteOptions = {},
): Promise<void> {
  const expired = () =>
    new TunnelError('state_dir_unusable', `the state directory did not answer within ${withinMs} ms`);
  return withDeadline(withinMs, signal, expired, (inTime) => abortable(change(), inTime));
}
