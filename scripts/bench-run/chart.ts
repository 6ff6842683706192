import { escaped, picture } from '../lib/picture.ts';
import { short } from './series.ts';

const ROW = 22;
const LEFT = 390;
const WIDTH = 760;
const TOP = 46;
/** Factors beyond this have a bar of full length. */
const MOST = 100;

/** A bar for each row, on a logarithmic scale: to the right of the line, fleet-mesh is better than `ssh -L`. */
export function chart(title: string, rows: readonly { readonly title: string; readonly factor: number }[]): string {
  const shown = rows.filter(({ factor }) => Number.isFinite(factor) && factor > 0);
  const logs = shown.map(({ factor }) => Math.log10(Math.min(factor, MOST)));
  const from = Math.min(-0.3, ...logs);
  const to = Math.max(0.5, ...logs);
  const x = (log: number) => LEFT + ((log - from) / (to - from)) * (WIDTH - LEFT - 60);
  const height = TOP + ROW * shown.length + 12;
  const bars = shown.map(({ title: name, factor }, index) => {
    const log = logs[index] ?? 0;
    const y = TOP + ROW * index;
    const [left, right] = [Math.min(x(0), x(log)), Math.max(x(0), x(log))];
    const colour = factor >= 1 ? '#2b7a4b' : '#b4532a';
    return (
      `<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>` +
      `<rect x="${left.toFixed(1)}" y="${y}" width="${(right - left).toFixed(1)}" height="15" fill="${colour}"/>` +
      `<text x="${(right + 6).toFixed(1)}" y="${y + 12}">${short(factor)}×</text>`
    );
  });
  const one = x(0).toFixed(1);
  return picture({ title, width: WIDTH, height }, [
    `<text x="12" y="20" font-size="14" font-weight="bold">${escaped(title)}</text>`,
    '<text x="12" y="36" fill="#555">times better than ssh -L (logarithmic); the line is ssh -L</text>',
    ...bars,
    `<line x1="${one}" y1="${TOP - 4}" x2="${one}" y2="${height - 8}" stroke="#333"/>`,
  ]);
}
