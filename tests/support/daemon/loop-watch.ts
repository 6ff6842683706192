import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform } from 'esbuild';
import { waitUntil } from '../wait-until.ts';

const LOOP_GAP = new URL('../loop-gap.ts', import.meta.url);

/** The event loop of a daemon since the last question, in milliseconds; see {@link LoopGap}. */
export interface LoopFigures {
  /** The longest work without a turn. */
  readonly longestMs: number;
  /** The work from the arrival of each HTTP request to the end of its answer, sorted. */
  readonly answersMs: readonly number[];
}

/** Watches the event loop of a daemon from inside. */
export interface LoopWatch {
  /** For the environment of the daemon. */
  readonly env: Record<string, string>;
  figures(pid: number): Promise<LoopFigures>;
}

/** The daemon is the built program, which runs no TypeScript: so the watch is translated into `directory`. */
export async function watchLoop(directory: string): Promise<LoopWatch> {
  const module = join(directory, 'loop-watch.mjs');
  const answer = join(directory, 'loop-watch.json');
  const { code } = await transform(readFileSync(LOOP_GAP, 'utf8'), { loader: 'ts', format: 'esm', target: 'node20' });
  const rest = `
    import { subscribe } from 'node:diagnostics_channel';
    import { renameSync, writeFileSync } from 'node:fs';
    const file = ${JSON.stringify(answer)};
    const begun = new WeakMap();
    let gap = new LoopGap();
    let answersMs = [];
    let number = 0;
    subscribe('http.server.request.start', ({ request }) => begun.set(request, spentMs(process.pid)));
    subscribe('http.server.response.finish', ({ request }) => {
      answersMs.push(spentMs(process.pid) - begun.get(request));
    });
    process.on('SIGUSR2', () => {
      const longestMs = gap.stop();
      answersMs.sort((a, b) => a - b);
      writeFileSync(file + '.new', JSON.stringify({ number: ++number, longestMs, answersMs }));
      renameSync(file + '.new', file);
      gap = new LoopGap();
      answersMs = [];
    });`;
  writeFileSync(module, `${code}${rest}`);
  writeFileSync(answer, '{}');
  let asked = 0;
  return {
    env: { NODE_OPTIONS: `--import ${pathToFileURL(module)}` },
    figures: (pid) => {
      const question = ++asked;
      process.kill(pid, 'SIGUSR2');
      return waitUntil('the daemon tells the figures of its event loop', () => {
        const figures = JSON.parse(readFileSync(answer, 'utf8')) as LoopFigures & { number?: number };
        return figures.number === question && figures;
      });
    },
  };
}
