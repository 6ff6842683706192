import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** One project per ring (docs/development.md): what a ring may touch is what tells it apart. */
const ring = (name: string, options: { testTimeout: number } & Record<string, unknown>) => ({
  extends: true as const,
  test: { name, include: [`tests/${name}/**/*.test.ts`], ...options },
});

const { CI } = process.env;

export default defineConfig({
  test: {
    pool: 'forks',
    restoreMocks: true,
    // Most of what the rings do is wait: a few more files at a time than there are cores.
    maxWorkers: Math.max(4, availableParallelism()),
    // Real time on a machine that others may use as well: a verdict needs two failures there. `scripts/test` names whoever
    // needed the second chance.
    retry: CI === 'true' ? 1 : 0,
    projects: [
      // Pure: nothing is left in the process that another file could meet, and loading the program is most of the work.
      ring('unit', { testTimeout: 5_000, isolate: false }),
      ring('integration', { testTimeout: 15_000 }),
      ring('interop', { testTimeout: 60_000 }),
      // Each file boots a systemd of its own.
      ring('system', { testTimeout: 60_000, hookTimeout: 60_000 }),
      // Last and file by file: it measures, and must neither starve the other rings nor be starved by them.
      ring('faults', { testTimeout: 120_000, maxWorkers: 1, maxConcurrency: 6, sequence: { groupOrder: 1 } }),
    ],
  },
});
