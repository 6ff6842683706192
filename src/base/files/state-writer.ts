import { asError, errnoOf, messageOf } from '../errors.ts';

/** A state file whose newest content is not on the disk. */
export interface Unwritten {
  readonly path: string;
  /** Of the failed system call, such as ENOSPC; `ETIMEDOUT` for a disk that does not answer. */
  readonly code: string;
  readonly message: string;
  readonly since: Date;
}

/** Pause after the first failed attempt, and the longest one, in milliseconds. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** A write that takes longer counts as not answered, in milliseconds. */
const SLOW_MS = 2_000;

/** The content that is not on the disk yet. */
interface Due {
  readonly text: string | undefined;
  waiting: { resolve(): void; reject(error: Error): void }[];
}

/** Brings the newest content of one file to the disk, however often that fails. Older contents are never written. */
export class StateWriter {
  readonly #path: string;
  readonly #change: (text: string | undefined) => Promise<void>;
  #due: Due | undefined;
  #running = false;
  #failures = 0;
  #trouble: { readonly error: Error; readonly since: Date } | undefined;
  #begun: { readonly at: Date; readonly uptimeMs: number } | undefined;
  /** Ends the pause after a failed attempt. */
  #goOn: (() => void) | undefined;

  /** @param change brings this text to the disk; undefined removes the file */
  constructor(path: string, change: (text: string | undefined) => Promise<void>) {
    this.#path = path;
    this.#change = change;
  }

  /** Whether a content is not on the disk yet. */
  get isBusy(): boolean {
    return this.#due !== undefined;
  }

  get unwritten(): Unwritten | undefined {
    if (!this.#due) return undefined;
    const path = this.#path;
    if (this.#trouble) {
      const { error, since } = this.#trouble;
      return { path, code: codeOf(error), message: messageOf(error), since };
    }
    if (!this.#begun || performance.now() - this.#begun.uptimeMs < SLOW_MS) return undefined;
    return {
      path,
      code: 'ETIMEDOUT',
      message: `${path} is not written: the disk does not answer`,
      since: this.#begun.at,
    };
  }

  /**
   * Makes this the content of the file. Settles when the content, or a newer one, is on the disk; rejects when the next
   * attempt fails, and goes on until one succeeds.
   */
  want(text: string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#due = { text, waiting: [...(this.#due?.waiting ?? []), { resolve, reject }] };
      this.#begun ??= { at: new Date(), uptimeMs: performance.now() };
      this.#goOn?.();
      if (!this.#running) void this.#run();
    });
  }

  /** Makes no further attempt. Rejects those that wait for one. */
  giveUp(): void {
    const waiting = this.#due?.waiting ?? [];
    this.#due = undefined;
    for (const { reject } of waiting) reject(new Error(`${this.#path} is written no more`));
    this.#goOn?.();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#due) {
      const due = this.#due;
      const { waiting } = due;
      due.waiting = [];
      try {
        await this.#change(due.text);
        if (this.#due === due) this.#due = undefined;
        this.#failures = 0;
        this.#trouble = undefined;
        this.#begun = this.#due && { at: new Date(), uptimeMs: performance.now() };
        for (const { resolve } of waiting) resolve();
      } catch (thrown) {
        const error = asError(thrown);
        this.#trouble = { error, since: this.#trouble?.since ?? new Date() };
        for (const { reject } of waiting) reject(error);
        if (this.#due === due) await this.#pause();
      }
    }
    // Also after giving up.
    this.#begun = undefined;
    this.#trouble = undefined;
    this.#running = false;
  }

  /** Does not keep the process alive: a daemon that stops has tried. */
  #pause(): Promise<void> {
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        this.#goOn = undefined;
        resolve();
      };
      const timer = setTimeout(over, ms);
      timer.unref();
      this.#goOn = over;
    });
  }
}

function codeOf(error: Error): string {
  return errnoOf(error.cause) ?? errnoOf(error) ?? 'EIO';
}
