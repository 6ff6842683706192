import { type Entry, GENESIS, hashLine, parseEntry } from './entry.ts';

/** The last line known to be on disk. */
export interface Head {
  readonly seq: number;
  /** {@link hashLine} of that line. */
  readonly hash: string;
}

/** A problem of the log, and its place. */
export interface ChainProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Most problems that are listed: a large file of rubbish must not fill the memory. */
const MOST_PROBLEMS = 1_000;

/** Before the first line. */
const BEFORE_ALL: Head = { seq: 0, hash: GENESIS };

interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Checks in a single pass that each line has the hash of the line before, and that no line is missing. The next line reveals
 * a changed line; the head, a file beside the log, reveals a changed last line.
 */
export class ChainCheck {
  readonly problems: ChainProblem[] = [];
  #last: Head = BEFORE_ALL;
  #lastPlace: Place | undefined;
  /** Whether the last line was unreadable; its hash is still known. */
  #broken = false;
  /** The line with the number of the head. */
  #headLine: { readonly hash: string; readonly place: Place; readonly broken: boolean } | undefined;
  readonly #head: Head | undefined;
  /** Whether {@link last} is known to precede the next line. */
  #begun: boolean;

  /** `from`: whether the first line must be the first of the log. */
  constructor(head: Head | undefined, from: 'beginning' | 'anywhere') {
    this.#head = head;
    this.#begun = from === 'beginning';
  }

  get last(): Head {
    return this.#last;
  }

  /** Checks the next line in file order, without its newline; undefined if the line is not a valid entry. */
  next(line: Buffer, place: Place): Entry | undefined {
    const entry = parseEntry(line.toString('utf8'));
    const hash = hashLine(line);
    if (!entry) {
      this.#report(place, 'is cut short or damaged: not a valid entry');
      this.#last = { seq: this.#last.seq + 1, hash };
      this.#broken = true;
    } else {
      this.#compare(entry, place);
      this.#last = { seq: entry.seq, hash };
      this.#broken = false;
    }
    if (this.#last.seq === this.#head?.seq) this.#headLine = { hash, place, broken: this.#broken };
    this.#lastPlace = place;
    return entry;
  }

  /** Call after the last line. */
  finish(): readonly ChainProblem[] {
    const head = this.#head;
    const place = this.#lastPlace ?? { file: 'events.jsonl', line: 0 };
    if (head && this.#last.seq < head.seq)
      this.#report(place, `is the last line, but ${count(head.seq - this.#last.seq, 'later entry')} had been written`);
    else if (head) this.#compareHead(head);
    return this.problems;
  }

  /** The lines after the head may have been made anew for a changed line. */
  #compareHead(head: Head): void {
    const line = this.#headLine;
    if (!line || line.broken || line.hash === head.hash) return;
    const { file, line: number } = line.place;
    if (this.problems.some((known) => known.file === file && known.line === number)) return;
    this.#report(line.place, 'was changed after it was written');
  }

  #compare(entry: Entry, place: Place): void {
    if (!this.#begun) {
      this.#begun = true;
      return;
    }
    const { seq, hash } = this.#last;
    const before = this.#lastPlace;
    if (entry.seq > seq + 1) this.#report(place, `follows a gap: ${count(entry.seq - seq - 1, 'entry')} missing`);
    else if (entry.seq <= seq) this.#report(place, `is out of order: entry ${entry.seq} comes after entry ${seq}`);
    else if (entry.prev !== hash && !this.#broken && before)
      this.#report(before, 'was changed after it was written: the next entry has another hash');
    else if (entry.prev !== hash && !before) this.#report(place, 'is not the first entry of this log');
  }

  #report({ file, line }: Place, message: string): void {
    if (this.problems.length < MOST_PROBLEMS) this.problems.push({ file, line, message });
    else if (this.problems.length === MOST_PROBLEMS)
      this.problems.push({ file, line, message: `${message}; later problems are not listed` });
  }
}

function count(n: number, one: string): string {
  if (n === 1) return `1 ${one}`;
  return `${n} ${one.replace(/y$/, 'ies')}`;
}
