import { stripVTControlCharacters } from 'node:util';

/** The head of a line: continuation lines are indented by its width. */
const HEAD = /^ *(?:\[.\] \S+ {2}|NEXT {2}|(?:live {3}|EXPIRED|closed|open {2}) |\d+ {2})?/;

/** Breaks a line between words so that it fits so many columns. Escape sequences have no width. */
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
