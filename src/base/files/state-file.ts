import { readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { abortable, withDeadline } from '../async/deadline.ts';
import { Turns } from '../async/turns.ts';
import { errnoOf, TunnelError } from '../errors.ts';
import { privateDirectory } from './private-directory.ts';
import { stateError } from './state-error.ts';
import { writeAtomically } from './write-atomically.ts';

/** A disk that takes longer to keep a file than this does not answer, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface WriteOptions {
  /** Bound of the wait, in milliseconds. A write that comes later still takes its turn. */
  readonly withinMs?: number | undefined;
  /** Ends the wait, not the write. A write is not begun once it has aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One JSON file of the state directory: checked as it is read, whole whatever happens as it is written, one change after the
 * other. Everything rejects with `state_dir_unusable`; no change waits for the disk longer than its bound.
 */
export class StateFile<Content> {
  readonly path: string;
  readonly #place: readonly [string, ...string[]];
  readonly #schema: z.ZodType<Content>;
  readonly #turns = new Turns();
  /** Whether the last write found its directory as it has to be. */
  #placed = false;

  /** @param place the state directory, and the directories below it; nothing is touched yet */
  constructor(place: readonly [string, ...string[]], name: string, schema: z.ZodType<Content>) {
    this.#place = place;
    this.path = join(...place, name);
    this.#schema = schema;
  }

  /** Undefined where there is none. A file that does not hold what the schema says is an error. */
  async read(): Promise<Content | undefined> {
    try {
      return this.#schema.parse(JSON.parse(await readFile(this.path, 'utf8')));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw stateError('read', this.path, error);
    }
  }

  /** Settles when it is on the disk. */
  write(content: Content, options: WriteOptions = {}): Promise<void> {
    return answered(() => this.#turns.take(() => this.#put(`${JSON.stringify(content)}\n`)), options);
  }

  /** As {@link write}. One that is not there is no error. */
  forget(options: WriteOptions = {}): Promise<void> {
    const forget = async () => {
      await unlink(this.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw stateError('removed', this.path, error);
      });
    };
    return answered(() => this.#turns.take(forget), options);
  }

  /** A directory that was good is looked at again only when a write fails: there are many writes, and each look is several calls. */
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
 * The one bound of every change to the state directory: rejects with `state_dir_unusable` when the disk does not answer in
 * time, and leaves the change to itself then.
 */
export function answered(
  change: () => Promise<void>,
  { withinMs = PATIENCE_MS, signal }: WriteOptions = {},
): Promise<void> {
  const expired = () =>
    new TunnelError('state_dir_unusable', `the state directory did not answer within ${withinMs} ms`);
  return withDeadline(withinMs, signal, expired, (inTime) => abortable(change(), inTime));
}
