import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
/** As deep below the checkout as the sources that look for files by their own place. */
const CACHE = join(CHECKOUT, 'node_modules/.cache/simulate-drain');

/** The program of the workers. */
export interface WorkerProgram extends Disposable {
  readonly path: string;
}

/**
 * Puts the program of the workers into one file, until it is disposed of. Every worker would otherwise compile the sources
 * one by one, and the compiler's names for small functions cost a fifth of each run.
 */
export async function bundleWorker(): Promise<WorkerProgram> {
  const path = join(CACHE, `worker-${process.pid}.mjs`);
  await build({
    entryPoints: [join(CHECKOUT, 'scripts/simulate-drain-run/worker.ts')],
    outfile: path,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) };
}
