import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ConfigError, formatProblem } from '../../../../src/config/problem.ts';
import { loadPlan, parsePlan } from '../../../../src/retirement/plan/load.ts';
import { endMs, instantMs } from '../../../../src/retirement/plan/moment.ts';

const EXAMPLE = readFileSync(new URL('../../../fixtures/plan/valid/full.yaml', import.meta.url), 'utf8');
const FIXTURES = fileURLToPath(new URL('../../../fixtures/plan/', import.meta.url));

async function yamlFiles(folder: string): Promise<string[]> {
  const files = (await readdir(join(FIXTURES, folder))).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(2);
  return files;
}

function problemLines(text: string | Buffer): string[] {
  try {
    parsePlan(Buffer.from(text), 'f');
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => formatProblem(problem).slice(2));
  }
}

describe('plan fixtures', async () => {
  it.each(await yamlFiles('valid'))('load valid/%s', async (name) => {
    expect((await loadPlan(join(FIXTURES, 'valid', name))).sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(await yamlFiles('invalid'))('explain the problems of invalid/%s', async (name) => {
    const path = join(FIXTURES, 'invalid', name);
    const expected = await readFile(path.replace(/\.yaml$/, '.expected'), 'utf8');
    expect(problemLines(await readFile(path))).toEqual(expected.trimEnd().split('\n'));
  });
});

describe(parsePlan, () => {
  it('throws only ConfigError, and locates every problem', () => {
    const tree = parse(EXAMPLE);
    const paths: (readonly string[])[] = [];
    const walk = (value: unknown, path: readonly string[]) => {
      paths.push(path);
      if (typeof value !== 'object' || value === null) return;
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    };
    walk(tree, []);
    const replaced = (value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown => {
      if (key === undefined) return by;
      const inner = replaced((value as Record<string, unknown>)[key], rest, by);
      if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? inner : item));
      return { ...(value as Record<string, unknown>), [key]: inner };
    };
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 1 }), (path, by) => {
        const text = stringify(replaced(tree, path, by));
        for (const line of problemLines(text)) expect(line).toMatch(/^[1-9]\d*:[1-9]\d*: \S[^\n]*$/);
      }),
      { numRuns: 60 },
    );
  });
});

describe(instantMs, () => {
  it.each([
    ['2026-07-03', '2026-07-03T00:00:00Z', '2026-07-04T00:00:00Z'],
    ['2026-07-20T10:00:00Z', '2026-07-20T10:00:00Z', '2026-07-20T10:00:00Z'],
    ['2026-07-20T10:00:00.5+02:00', '2026-07-20T08:00:00.5Z', '2026-07-20T08:00:00.5Z'],
  ])('finds begin and end of %s', (written, begins, ends) => {
    expect([instantMs(written), endMs(written)]).toEqual([Date.parse(begins), Date.parse(ends)]);
  });

  it.each(['2026-02-30', '2026-13-01', '2026-07-20T10:00:00', '2026-07-20 10:00', 'soon', '', '2026-07-20T25:00:00Z'])(
    'rejects %j',
    (written) => expect(instantMs(written)).toBeUndefined(),
  );
});
