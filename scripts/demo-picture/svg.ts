import type { Run, Style } from './ansi.ts';
import { COLUMNS } from './terminal.ts';

/** Lines that appear together. */
export interface Step {
  readonly lines: readonly (readonly Run[])[];
  /** Time before the next step, in seconds. */
  readonly seconds: number;
}

/** Steps on one screen; the next scene begins with an empty screen. */
export type Scene = readonly Step[];

const CELL = { width: 8.43, height: 20 };
const FONT_SIZE = 14;
const MARGIN = { side: 18, top: 52, bottom: 16 };

const COLOURS: Readonly<Record<Style, string>> = {
  plain: '#d0d7de',
  bold: '#ffffff',
  dim: '#8b949e',
  red: '#ff7b72',
  green: '#56d364',
  yellow: '#e3b341',
  prompt: '#79c0ff',
};

/**
 * A terminal window that plays the scenes in a loop. Without animation (print, reduced motion), it shows one complete scene.
 *
 * @param still index of the scene without animation
 */
export function terminalSvg(title: string, scenes: readonly Scene[], still: number): string {
  const rows = Math.max(...scenes.map((scene) => scene.reduce((sum, { lines }) => sum + lines.length, 0)));
  const width = Math.ceil(COLUMNS * CELL.width + 2 * MARGIN.side);
  const height = MARGIN.top + rows * CELL.height + MARGIN.bottom;
  const total = scenes.flat().reduce((sum, { seconds }) => sum + seconds, 0);
  const groups: string[] = [];
  const rules: string[] = [];
  let at = 0;
  for (const [index, scene] of scenes.entries()) {
    const end = at + scene.reduce((sum, { seconds }) => sum + seconds, 0);
    let row = 0;
    for (const { lines, seconds } of scene) {
      const name = `s${groups.length}`;
      const first = row;
      const drawn = lines.map((line, offset) => lineSvg(line, first + offset));
      groups.push(`<g class="step${index === still ? ' still' : ''}" id="${name}">\n${drawn.join('\n')}\n</g>`);
      rules.push(visible(name, (at / total) * 100, (end / total) * 100));
      row += lines.length;
      at += seconds;
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>
text { font: ${FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; white-space: pre; fill: ${COLOURS.plain} }
${Object.entries(COLOURS)
  .map(([style, colour]) => `.${style} { fill: ${colour} }`)
  .join(' ')}
.bold, .prompt { font-weight: 600 }
.step { opacity: 0 } .still { opacity: 1 }
@media (prefers-reduced-motion: no-preference) {
.step { animation: ${round(total)}s step-end infinite }
${rules.join('\n')}
}
</style>
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
<path d="M0 34V10A10 10 0 0 1 10 0H${width - 10}A10 10 0 0 1 ${width} 10V34Z" fill="#21262d"/>
<circle cx="20" cy="17" r="6" fill="#ff5f57"/><circle cx="40" cy="17" r="6" fill="#febc2e"/><circle cx="60" cy="17" r="6" fill="#28c840"/>
<text x="${width / 2}" y="22" text-anchor="middle" class="dim">${escaped(title)}</text>
${groups.join('\n')}
</svg>
`;
}

/** Visible between two moments, in percent of the whole time. */
function visible(name: string, from: number, until: number): string {
  const hidden = from === 0 ? '' : '0% { opacity: 0 } ';
  const after = until >= 99.999 ? '' : `${round(until)}% { opacity: 0 }`;
  const end = until >= 99.999 ? '100% { opacity: 1 }' : '100% { opacity: 0 }';
  return `#${name} { animation-name: ${name} } @keyframes ${name} { ${hidden}${round(from)}% { opacity: 1 } ${after} ${end} }`;
}

/** Every run has a fixed position and length: columns stay aligned in any font. */
function lineSvg(line: readonly Run[], row: number): string {
  const y = MARGIN.top + row * CELL.height + FONT_SIZE - 2;
  let column = 0;
  const runs = line.flatMap(({ text, style }) =>
    // Wide gaps are skipped, not drawn.
    text.split(/( {2,})/).flatMap((part) => {
      const x = round(MARGIN.side + column * CELL.width);
      column += part.length;
      if (part.trim() === '') return [];
      const shown = style === 'plain' ? '' : ` class="${style}"`;
      return [`<tspan x="${x}" textLength="${round(part.length * CELL.width)}"${shown}>${escaped(part)}</tspan>`];
    }),
  );
  return runs.length === 0 ? '' : `<text y="${y}">${runs.join('')}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}
