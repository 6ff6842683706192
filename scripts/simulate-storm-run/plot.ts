import { picture } from '../lib/picture.ts';
import type { Storm } from './storm.ts';

const WIDTH = 760;
const HEIGHT = 250;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 16, 30, 34];
const COLOURS = ['#2b7a4b', '#b4532a', '#3b5ba5'];

interface Panel {
  readonly title: string;
  readonly values: (storm: Storm) => readonly number[];
  readonly most: number;
  readonly label: (value: number) => string;
}

/** The storms of one size as lines over time: the share of the nodes that are back, and the connections per second. */
export function plot(storms: readonly Storm[], seconds: number): string {
  const nodes = storms[0]?.nodes ?? 0;
  const most = Math.max(1, ...storms.flatMap(({ arrivals }) => arrivals.slice(0, seconds)));
  const panels: Panel[] = [
    {
      title: `${nodes.toLocaleString('en-US')} nodes: part with a session`,
      values: ({ back }) => back.map((count) => count / nodes),
      most: 1,
      label: (value) => `${Math.round(100 * value)} %`,
    },
    {
      title: 'connections to sshd in a second (refused while sshd is down)',
      values: ({ arrivals }) => arrivals,
      most,
      label: (value) => Math.round(value).toLocaleString('en-US'),
    },
  ];
  const legend = storms.map(
    ({ clients }, index) =>
      `<rect x="${LEFT + 210 * index}" y="8" width="12" height="12" fill="${COLOURS[index]}"/>` +
      `<text x="${LEFT + 18 + 210 * index}" y="18">${clients}</text>`,
  );
  const drawn = panels.map((panel, index) => draw(panel, storms, seconds, 24 + index * HEIGHT));
  const height = 24 + panels.length * HEIGHT;
  const title = `${nodes.toLocaleString('en-US')} nodes come back to one sshd`;
  return picture({ title, width: WIDTH, height }, [...legend, ...drawn]);
}

function draw(
  { title, values, most, label }: Panel,
  storms: readonly Storm[],
  seconds: number,
  offset: number,
): string {
  const x = (second: number) => LEFT + (second / seconds) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => offset + HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM);
  const steps = [0, 0.25, 0.5, 0.75, 1];
  const lines = storms.map((storm, index) => {
    const all = values(storm);
    const shown = Array.from(
      { length: seconds },
      (_, second) => all[second] ?? (all === storm.arrivals ? 0 : (all.at(-1) ?? 0)),
    );
    const points = shown.map((value, second) => `${x(second).toFixed(1)},${y(value).toFixed(1)}`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[index]}" stroke-width="1.5"/>`;
  });
  return [
    `<text x="${LEFT}" y="${offset + 18}" font-weight="bold">${title}</text>`,
    ...steps.map(
      (part) =>
        `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(part * most).toFixed(1)}" y2="${y(part * most).toFixed(1)}" stroke="#ddd"/>` +
        `<text x="${LEFT - 6}" y="${(y(part * most) + 4).toFixed(1)}" text-anchor="end">${label(part * most)}</text>` +
        `<text x="${x(part * seconds).toFixed(1)}" y="${offset + HEIGHT - 14}" text-anchor="middle">${Math.round(part * seconds)} s</text>`,
    ),
    ...lines,
  ].join('\n');
}
