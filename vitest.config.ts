import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { SlowFirst } from './tests/support/slow-first.ts';

/** One project per ring (docs/development.md): what a ring may touch is what tells it apart. */
const ring = (name: string, options: { testTimeout: number } & Record<string, unknown>) => ({
  extends: true as const,
  test: { name, include: [`tests/${name}/**/*.test.ts`], ...options },
});

export default defineConfig({
  test: {
    pool: 'forks',
    restoreMocks: true,
    // Most of what the rings do is wait: more files at a time than there are cores.
    maxWorkers: Math.max(5, availableParallelism()),
    sequence: { sequencer: SlowFirst },
    // Real time on a machine that others may use as well. A limit ends a test that hangs and measures nothing: a test that
    // bounds a duration asserts that, and no failure gets a second chance.
    hookTimeout: 180_000,
    // Ends a hang as well.
    expect: { poll: { timeout: 60_000 } },
    projects: [
      // Pure: nothing is left in the process that another file could meet, and loading the program is most of the work.
      ring('unit', { testTimeout: 120_000, isolate: false }),
      ring('integration', { testTimeout: 120_000 }),
      ring('interop', { testTimeout: 180_000 }),
      // Each file boots a systemd of its own.
      ring('system', { testTimeout: 180_000 }),
      // Last: it measures, and must neither starve the other rings nor be starved by them. Two files at a time, because
      // the matrix waits for two minutes, and as long as the other files together.
      ring('faults', { testTimeout: 300_000, maxWorkers: 2, maxConcurrency: 6, sequence: { groupOrder: 1 } }),
    ],
  },
});
