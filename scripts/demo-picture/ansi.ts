/** A piece of a line in one style. */
export interface Run {
  readonly text: string;
  readonly style: Style;
}

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'prompt';

/** The colours that the program uses (ECMA-48, SGR). */
const STYLES: Readonly<Record<string, Style>> = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow' };

const ESCAPE = String.fromCharCode(0x1b);
const SEQUENCE = new RegExp(`${ESCAPE}\\[([\\d;]*[A-Za-z])`);

/** The lines of an output, broken as in a terminal; throws if the output moves the cursor. */
export function linesOf(output: string, columns: number): Run[][] {
  const lines = output.trimEnd().split(/\r?\n/);
  return lines.flatMap((line) => broken(runsOf(line), columns));
}

function runsOf(line: string): Run[] {
  let style: Style = 'plain';
  // Odd parts are the sequences between the texts.
  return line.split(SEQUENCE).flatMap((part, index): Run[] => {
    if (index % 2 === 0) return part === '' ? [] : [{ text: part, style }];
    if (!part.endsWith('m')) throw new Error(`the output moves the cursor: ESC [ ${part}`);
    style = STYLES[part.slice(0, -1)] ?? 'plain';
    return [];
  });
}

function broken(runs: readonly Run[], columns: number): Run[][] {
  const lines: Run[][] = [[]];
  let left = columns;
  for (const { text, style } of runs) {
    for (let rest = text; rest !== ''; ) {
      if (left === 0) {
        lines.push([]);
        left = columns;
      }
      const fitting = rest.slice(0, left);
      lines.at(-1)?.push({ text: fitting, style });
      left -= fitting.length;
      rest = rest.slice(fitting.length);
    }
  }
  return lines;
}
