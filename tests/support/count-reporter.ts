import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Writes what `scripts/test` ends with to the file named in FLEET_MESH_TEST_COUNTS, one `kind<TAB>value` a line: how many
 * tests passed, failed and were skipped, the names of the skipped ones, each with what its file misses here, and all that
 * was missed. A file that could not be loaded, a failed hook and an error outside of any test count as failed: none of
 * them may look like success.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const { FLEET_MESH_TEST_COUNTS: file } = process.env;
    if (file === undefined) return;
    const skipped: string[] = [];
    const missing = new Map<string, string>();
    let passed = 0;
    let failed = unhandled.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      const missed = Object.entries(module.meta().missing ?? {});
      for (const [capability, remedy] of missed) missing.set(capability, remedy);
      const why = missed.length === 0 ? '' : ` (needs ${missed.map(([capability]) => capability).join(', ')})`;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        // 'pending' at the end of a run: it never came to an end.
        else if (state === 'skipped') skipped.push(`${module.relativeModuleId} > ${test.fullName}${why}`);
        else failed += 1;
      }
    }
    const counts = [`passed\t${passed}`, `failed\t${failed}`, `skipped\t${skipped.length}`];
    const names = [
      ...skipped.map((name) => `skipped-name\t${name}`),
      ...[...missing].map(([capability, remedy]) => `missing\t${capability}: ${remedy}`),
    ];
    writeFileSync(file, `${[...counts, ...names].join('\n')}\n`);
  }
}
