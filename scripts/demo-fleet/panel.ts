import { stripVTControlCharacters } from 'node:util';

/** A few lines at the bottom of a terminal that are drawn again in place; nothing where the output is no terminal. */
export class Panel {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Not on a terminal that does not say how large it is either: what wraps or scrolls could not be taken back. */
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

  /** In the place of what it showed. A line that is too long is cut: one that wraps could not be taken back. */
  draw(lines: readonly string[]): void {
    if (!this.shows) return;
    const fitting = ['', ...lines].slice(0, Math.max(1, this.#out.rows - 1)).map((line) => cut(line, this.columns));
    this.#out.write(`${this.#erasure()}${fitting.join('\n')}\n`);
    this.#drawn = fitting.length;
  }

  /** Before anything else is printed. */
  erase(): void {
    if (this.#drawn > 0) this.#out.write(this.#erasure());
    this.#drawn = 0;
  }

  /** From the beginning of the line: the terminal may have written ^C there. */
  #erasure(): string {
    return this.#drawn === 0 ? '' : `\r\x1b[${this.#drawn}A\x1b[J`;
  }
}

function cut(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length < width ? line : `${plain.slice(0, Math.max(0, width - 2))}…`;
}
