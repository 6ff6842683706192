import { stripVTControlCharacters } from 'node:util';

/** A few lines at the bottom of a terminal, redrawn in place. Draws nothing without a terminal. */
export class Panel {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** False without a known terminal size: wrapped or scrolled lines cannot be erased. */
  get shows(): boolean {
    const { TERM } = process.env;
    const { isTTY, columns, rows } = this.#out;
    return isTTY === true && TERM !== 'dumb' && columns > 0 && rows > 1;
  }

  get columns(): number {
    return this.#out.columns;
  }

  /** no-color.org: `NO_COLOR` set and not empty. */
  get colour(): boolean {
    const { NO_COLOR } = process.env;
    return this.shows && (NO_COLOR === undefined || NO_COLOR === '');
  }

  /** Replaces the shown lines. Cuts long lines: wrapped lines cannot be erased. */
  draw(lines: readonly string[]): void {
    if (!this.shows) return;
    const fitting = ['', ...lines].slice(0, Math.max(1, this.#out.rows - 1)).map((line) => cut(line, this.columns));
    this.#out.write(`${this.#erasure()}${fitting.join('\n')}\n`);
    this.#drawn = fitting.length;
  }

  /** Must be called before other output. */
  erase(): void {
    if (this.#drawn > 0) this.#out.write(this.#erasure());
    this.#drawn = 0;
  }

  /** Starts at the beginning of the line: the terminal may have written ^C. */
  #erasure(): string {
    return this.#drawn === 0 ? '' : `\r\x1b[${this.#drawn}A\x1b[J`;
  }
}

function cut(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length < width ? line : `${plain.slice(0, Math.max(0, width - 2))}…`;
}
