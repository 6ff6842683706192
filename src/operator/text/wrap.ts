import { stripVTControlCharacters } from 'node:util';

/** What a line begins with: what follows from a broken one is as far in. */
const HEAD = /^ *(?:\[.\] \S+ {2}|NEXT {2}|(?:live {3}|EXPIRED|closed|open {2}) |\d+ {2})?/;

/** The line, broken between words where it is longer than so many columns; escape sequences have no width. */
export function wrapped(line: string, width = Number.POSITIVE_INFINITY): string[] {
  if (bare(line).length <= width) return [line];
  const indent = ' '.repeat(HEAD.exec(bare(line))?.[0].length ?? 0);
  const lines = [''];
  for (const word of line.split(/(?<=\S) /)) {
    const last = lines.at(-1) ?? '';
    const longer = last === '' ? word : `${last} ${word}`;
    const fits = last.trim() === '' || bare(longer).length <= width;
    if (fits) lines[lines.length - 1] = longer;
    else lines.push(`${indent}${word}`);
  }
  return lines;
}

function bare(line: string): string {
  return stripVTControlCharacters(line);
}
