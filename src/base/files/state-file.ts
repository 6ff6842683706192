import { join } from 'node:path';
import type { z } from 'zod';
import { abortable, withDeadline } from '../async/deadline.ts';
import { TunnelError } from '../errors.ts';
import { StateDisk } from './state-disk.ts';
import { stateError } from './state-error.ts';
import { StateWriter, type Unwritten } from './state-writer.ts';

/** A disk that needs longer for one read or write counts as not answering, in milliseconds. */
const PATIENCE_MS = 10_000;

export interface WriteOptions {
  /** Bound of the wait, in milliseconds. The write itself goes on after the bound. */
  readonly withinMs?: number | undefined;
  /** Ends the wait, not the write. After the abort no new write begins. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One JSON file of the state directory, with one writer. Reads are checked against the schema; writes are atomic, and
 * repeated until the disk has the newest content. Every method rejects with `state_dir_unusable`, and none waits for
 * the disk longer than its bound.
 */
export class StateFile<Content> {
  readonly path: string;
  readonly #schema: z.ZodType<Content>;
  readonly #disk: Pick<StateDisk, 'read' | 'change'>;
  readonly #writer: StateWriter;
  /** What memory stands for: the text of the file, undefined without a file. Unknown until read or written. */
  #held: { readonly text: string | undefined } | undefined;

  /** @param place the state directory, and the directories below it. The constructor touches no file. */
  constructor(
    place: readonly [string, ...string[]],
    name: string,
    schema: z.ZodType<Content>,
    disk: Pick<StateDisk, 'read' | 'change'> = new StateDisk(place, name),
  ) {
    this.path = join(...place, name);
    this.#schema = schema;
    this.#disk = disk;
    this.#writer = new StateWriter(this.path, (text) => disk.change(text));
  }

  /** Since when the disk does not have the newest content, and why; undefined while it does. */
  get unwritten(): Unwritten | undefined {
    return this.#writer.unwritten;
  }

  /** Whether memory stands for content, so that the file must exist. */
  get isKept(): boolean {
    return this.#held?.text !== undefined;
  }

  /** Undefined if the file does not exist. A file that does not match the schema is an error. */
  async read(options: WriteOptions = {}): Promise<Content | undefined> {
    try {
      const text = await answered(() => this.#disk.read(), options);
      const content = text === undefined ? undefined : this.#schema.parse(JSON.parse(text));
      this.#held ??= { text };
      return content;
    } catch (error) {
      throw error instanceof TunnelError ? error : stateError('read', this.path, error);
    }
  }

  /**
   * All or nothing: settles when the content is on the disk. After a rejection the file gets its content of before again,
   * in case that the disk has taken the write all the same.
   */
  async write(content: Content, options: WriteOptions = {}): Promise<void> {
    const before = this.#held;
    const text = textOf(content);
    try {
      await this.#want(text, options);
      // Unless something newer has happened meanwhile.
      if (this.#held === before) this.#held = { text };
    } catch (error) {
      if (this.#held !== before) throw error;
      if (before) this.#writer.want(before.text).catch(() => {});
      else this.#writer.giveUp();
      throw error;
    }
  }

  /**
   * For what has happened already: the content is written until the disk has it, or something newer. Settles then; rejects
   * when an attempt failed, and goes on.
   */
  keep(content: Content, options: WriteOptions = {}): Promise<void> {
    const text = textOf(content);
    this.#held = { text };
    return this.#want(text, options);
  }

  /** Removes the file, like {@link keep}. A missing file is no error. */
  forget(options: WriteOptions = {}): Promise<void> {
    this.#held = { text: undefined };
    return this.#want(undefined, options);
  }

  /**
   * Makes sure that the disk has what memory stands for: somebody else may have changed or removed the file. Settles when the
   * disk has the content. A file that could not be read at the start is left alone.
   */
  async confirm(options: WriteOptions = {}): Promise<void> {
    const held = this.#held;
    if (!held) return;
    const text = await answered(() => this.#disk.read(), options).catch((error: unknown) => {
      throw error instanceof TunnelError ? error : stateError('read', this.path, error);
    });
    if (this.#writer.isBusy || (this.#held === held && text !== held.text)) await this.#want(this.#held?.text, options);
  }

  /**
   * Writes the file again if somebody else has changed, moved or removed it: memory counts. Settles with whether that was
   * needed. Never rejects. A file that could not be read at the start is left alone.
   */
  async restore(options: WriteOptions = {}): Promise<boolean> {
    const held = this.#held;
    if (!held || this.#writer.isBusy) return false;
    const found = await answered(async () => ({ text: await this.#disk.read() }), options).catch((error: unknown) =>
      // A disk that does not answer shows no change, and the next look comes soon.
      error instanceof TunnelError ? { text: held.text } : undefined,
    );
    if (this.#held !== held || this.#writer.isBusy || (found && found.text === held.text)) return false;
    this.#writer.want(held.text).catch(() => {});
    return true;
  }

  #want(text: string | undefined, options: WriteOptions): Promise<void> {
    return answered(() => this.#writer.want(text), options);
  }
}

function textOf(content: unknown): string {
  return `${JSON.stringify(content)}\n`;
}

/**
 * The one bound of every access to the state directory. Rejects with `state_dir_unusable` when the disk does not answer
 * in time; the access itself runs on.
 */
export function answered<Result>(
  access: () => Promise<Result>,
  { withinMs = PATIENCE_MS, signal }: WriteOptions = {},
): Promise<Result> {
  const expired = () =>
    new TunnelError('state_dir_unusable', `the state directory did not answer within ${withinMs} ms`);
  return withDeadline(withinMs, signal, expired, (inTime) => abortable(access(), inTime));
}
