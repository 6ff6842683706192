import { picture } from '../lib/picture.ts';
/** A line of a panel: a value for each time. */
export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

export interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [860, 150, 70, 20, 26, 22];

/** Panels below each other, over the same time in seconds; `marks` are thin vertical lines. Every vertical axis begins at 0. Pure. */
export function plot(times: readonly number[], panels: readonly Panel[], marks: readonly number[]): string {
  const end = Math.max(1, ...times);
  const body = panels.map((panel, index) => panelOf(panel, times, end, marks, index * HEIGHT));
  const height = panels.length * HEIGHT + 8;
  return picture({ title: panels.map(({ title }) => title).join(', '), width: WIDTH, height }, body);
}

function panelOf(
  { title, unit, lines }: Panel,
  times: readonly number[],
  end: number,
  marks: readonly number[],
  offset: number,
): string {
  const most = Math.max(1, ...lines.flatMap(({ values }) => values.filter(Number.isFinite))) * 1.1;
  const [top, bottom] = [offset + TOP, offset + HEIGHT - BOTTOM];
  const x = (seconds: number) => (LEFT + (seconds / end) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number) => (bottom - (value / most) * (bottom - top)).toFixed(1);
  const curves = lines.map(({ colour, values }) => {
    const points = values.flatMap((value, at) => (Number.isFinite(value) ? [`${x(times[at] ?? 0)},${y(value)}`] : []));
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.2"/>`;
  });
  const legend = lines.map(
    ({ name, colour }, at) => `<text x="${LEFT + 260 + at * 130}" y="${offset + 17}" fill="${colour}">${name}</text>`,
  );
  const grid = [0, most / 2.2, most / 1.1].map(
    (value) =>
      `<line x1="${LEFT}" y1="${y(value)}" x2="${WIDTH - RIGHT}" y2="${y(value)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${y(value)}" dy="4" text-anchor="end">${Math.round(value)}</text>`,
  );
  const struck = marks.map(
    (at) => `<line x1="${x(at)}" y1="${top}" x2="${x(at)}" y2="${bottom}" stroke="#f3c9a8" stroke-width="0.6"/>`,
  );
  const minutes = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(end * share)}" y="${bottom + 14}" text-anchor="middle">${((end * share) / 60).toFixed(0)} min</text>`,
  );
  const name = `<text x="${LEFT}" y="${offset + 17}" font-weight="bold">${title} (${unit})</text>`;
  return [name, ...legend, ...struck, ...grid, ...minutes, ...curves].join('\n');
}
