import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

const ENV = { HOME: '/home/fleet', CREDENTIALS_DIRECTORY: '/run/credentials/fleet-mesh' };
const FULL = readFileSync(new URL('../../fixtures/config/valid/full.yaml', import.meta.url), 'utf8');

/** Expects a configuration, or an error whose problems all have a position in the file and a message of one line. */
function loadsOrExplains(text: string): void {
  try {
    expect(parseConfig(Buffer.from(text), 'f.yaml', ENV).hosts.size).toBeGreaterThan(0);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    const lines = text.split('\n');
    for (const { line, column, message } of error.problems) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
      expect(message).toMatch(/^[^\n]+$/);
    }
  }
}

/** The paths of every value in a tree. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

/** A copy of `tree` with a new value at `path`. */
function replaced(tree: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const copy: Record<string, unknown> = { ...(tree as Record<string, unknown>) };
  copy[key] = replaced(copy[key], rest, value);
  return copy;
}

describe(parseConfig, () => {
  it('throws only ConfigError for arbitrary values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => loadsOrExplains(stringify(value))),
      { numRuns: 150 },
    );
  });

  it('throws only ConfigError for arbitrary text', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'a: -[]{}&*!|>\'"%@`?#,\n\t0~') }), loadsOrExplains), {
      numRuns: 500,
    });
  });

  it('throws only ConfigError after a change of one value in a valid configuration', () => {
    const tree: unknown = parse(FULL);
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(Number.NaN, Infinity, -0, '', '~', 'credential:', 'unix:/x', 'localhost:0', '[::]:1', '0s'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(tree)), value, (path, replacement) =>
        loadsOrExplains(stringify(replaced(tree, path, replacement))),
      ),
      { numRuns: 150 },
    );
  });
});
