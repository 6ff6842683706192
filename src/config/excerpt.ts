import { visible } from '../base/text/printable.ts';

/** The longest part of a line that is shown. */
const WIDTH = 100;

/** The line of a mistake with a caret below the column (both from 1). Tabs and invisible characters are escaped. */
export function excerptOf(text: string, line: number, column: number): string {
  const own = text.split(/\r?\n/, line).at(line - 1) ?? '';
  const from = Math.max(0, column - 1 - WIDTH / 2);
  const shown = (part: string) => visible(part).replaceAll('\t', '\\t');
  const before = `${from > 0 ? '…' : ''}${shown(own.slice(from, column - 1))}`;
  const after = shown(own.slice(column - 1, from + WIDTH));
  const number = String(line).padStart(5);
  return `${number} | ${before}${after}\n${' '.repeat(number.length)} | ${' '.repeat([...before].length)}^`;
}
