import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform } from 'esbuild';
import { waitUntil } from '../wait-until.ts';

const LOOP_GAP = new URL('../loop-gap.ts', import.meta.url);

/** Watches the event loop of a daemon from inside. */
export interface LoopWatch {
  /** For the environment of the daemon. */
  readonly env: Record<string, string>;
  /** The longest piece of work since the last question, in milliseconds; see {@link LoopGap}. */
  longestMs(pid: number): Promise<number>;
}

/** The daemon is the built program, which runs no TypeScript: so the watch is translated into `directory`. */
export async function watchLoop(directory: string): Promise<LoopWatch> {
  const module = join(directory, 'loop-watch.mjs');
  const answer = join(directory, 'loop-watch.txt');
  const { code } = await transform(readFileSync(LOOP_GAP, 'utf8'), { loader: 'ts', format: 'esm', target: 'node20' });
  const rest = `
    import { renameSync, writeFileSync } from 'node:fs';
    let gap = new LoopGap();
    let answers = 0;
    process.on('SIGUSR2', () => {
      const longest = gap.stop();
      gap = new LoopGap();
      writeFileSync(${JSON.stringify(`${answer}.new`)}, [++answers, longest].join(' '));
      renameSync(${JSON.stringify(`${answer}.new`)}, ${JSON.stringify(answer)});
    });`;
  writeFileSync(module, `${code}${rest}`);
  writeFileSync(answer, '0 0');
  let asked = 0;
  return {
    env: { NODE_OPTIONS: `--import ${pathToFileURL(module)}` },
    longestMs: async (pid) => {
      const question = ++asked;
      process.kill(pid, 'SIGUSR2');
      return waitUntil('the daemon tells its longest piece of work', () => {
        const [answers, longest] = readFileSync(answer, 'utf8').split(' ').map(Number);
        return answers === question ? { longest } : undefined;
      }).then(({ longest = 0 }) => longest);
    },
  };
}
