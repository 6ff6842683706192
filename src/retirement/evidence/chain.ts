import { type Entry, GENESIS, hashLine, parseEntry } from './entry.ts';

/** The last line that is known to have been on the disk. */
export interface Head {
  readonly seq: number;
  /** {@link hashLine} of that line. */
  readonly hash: string;
}

/** What is wrong with the log, and where. */
export interface ChainProblem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Before the first line. */
const BEFORE_ALL: Head = { seq: 0, hash: GENESIS };

interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Checks that each line carries the hash of the one before, and that none is missing, in a single pass. A change of a line
 * shows in the line after it; for the last one there is the head, which is kept beside the log.
 */
export class ChainCheck {
  readonly problems: ChainProblem[] = [];
  #last: Head = BEFORE_ALL;
  #lastPlace: Place | undefined;
  /** After a line that cannot be read its hash is still known, but no more. */
  #broken = false;
  #headSeen: string | undefined;
  readonly #head: Head | undefined;
  /** Whether {@link last} is known to be what the next line follows. */
  #begun: boolean;

  /** `from`: whether the first line has to be the first of all. */
  constructor(head: Head | undefined, from: 'beginning' | 'anywhere') {
    this.#head = head;
    this.#begun = from === 'beginning';
  }

  get last(): Head {
    return this.#last;
  }

  /** The next line in the order of the files, without its newline; undefined where it is not one of this log's. */
  next(line: Buffer, place: Place): Entry | undefined {
    const entry = parseEntry(line.toString('utf8'));
    const hash = hashLine(line);
    if (!entry) {
      this.#report(place, 'is cut short or damaged: it is no entry of this log');
      this.#last = { seq: this.#last.seq + 1, hash };
      this.#broken = true;
    } else {
      this.#compare(entry, place);
      this.#last = { seq: entry.seq, hash };
      this.#broken = false;
    }
    if (this.#last.seq === this.#head?.seq) this.#headSeen = hash;
    this.#lastPlace = place;
    return entry;
  }

  /** Once all lines were seen. */
  finish(): readonly ChainProblem[] {
    const head = this.#head;
    const place = this.#lastPlace ?? { file: 'events.jsonl', line: 0 };
    if (head && this.#last.seq < head.seq)
      this.#report(place, `is the last one, but ${count(head.seq - this.#last.seq, 'later entry')} had been written`);
    else if (head && this.#last.seq === head.seq && this.#headSeen !== head.hash && !this.#broken)
      this.#report(place, 'was changed after it was written');
    return this.problems;
  }

  #compare(entry: Entry, place: Place): void {
    if (!this.#begun) {
      this.#begun = true;
      return;
    }
    const { seq, hash } = this.#last;
    const before = this.#lastPlace;
    if (entry.seq > seq + 1)
      this.#report(place, `follows a gap: ${count(entry.seq - seq - 1, 'entry')} before it missing`);
    else if (entry.seq <= seq) this.#report(place, `is out of order: entry ${entry.seq} comes after entry ${seq}`);
    else if (entry.prev !== hash && !this.#broken && before)
      this.#report(before, 'was changed after it was written: the entry after it carries another hash');
    else if (entry.prev !== hash && !before) this.#report(place, 'is not the beginning of this log');
  }

  #report({ file, line }: Place, message: string): void {
    this.problems.push({ file, line, message });
  }
}

function count(n: number, one: string): string {
  if (n === 1) return `1 ${one}`;
  return `${n} ${one.replace(/y$/, 'ies')}`;
}
