/** A table cell: its text, and the colouring to apply after padding (colour codes have no width). */
export interface Cell {
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
}

/** A column of a text table. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Cell;
  readonly align?: 'right';
  /** On a narrow terminal, columns with the highest number are dropped first. A column without a number stays. */
  readonly dropped?: number;
}

const GAP = '  ';

export interface Table {
  /** The titles, and a line for each row. */
  readonly lines: readonly string[];
  /** The titles of the dropped columns, from the left. */
  readonly leftOut: readonly string[];
}

/** A table. Droppable columns are dropped until the table fits `width` characters. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = Number.POSITIVE_INFINITY,
): Table {
  let kept = columns.map((column) => {
    const cells = rows.map(column.cell);
    return { column, cells, width: Math.max(...[column.title, ...cells.map(({ text }) => text)].map(lengthOf)) };
  });
  const needed = () => kept.reduce((sum, { width: own }) => sum + own, GAP.length * (kept.length - 1));
  for (;;) {
    const next = Math.max(...kept.map(({ column }) => column.dropped ?? 0));
    if (needed() <= width || next === 0) break;
    kept = kept.filter(({ column }) => column.dropped !== next);
  }
  const line = (cellOf: (entry: (typeof kept)[number]) => Cell) =>
    kept
      .map((entry) => pad(cellOf(entry), entry.width, entry.column.align))
      .join(GAP)
      .trimEnd();
  const lines = [
    line(({ column }) => ({ text: column.title })),
    ...rows.map((_, index) => line(({ cells }) => cells[index] ?? { text: '' })),
  ];
  const shown = new Set(kept.map(({ column }) => column));
  return { lines, leftOut: columns.filter((column) => !shown.has(column)).map(({ title }) => title) };
}

function pad(cell: Cell, width: number, align: 'right' | undefined): string {
  const space = ' '.repeat(width - lengthOf(cell.text));
  const text = cell.paint === undefined ? cell.text : cell.paint(cell.text);
  return align === 'right' ? space + text : text + space;
}

/** In code points: names and addresses are ASCII. A note in another script may be misaligned slightly. */
function lengthOf(text: string): number {
  return [...text].length;
}
