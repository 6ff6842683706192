import { existsSync } from 'node:fs';
import { missing } from './capabilities.ts';
import { findProgram } from './find-program.ts';

/** What `scripts/fetch-prometheus` left. */
const CACHE = '.cache/prometheus';

type Program = 'prometheus' | 'promtool';

/** The path of a program of Prometheus: of `scripts/fetch-prometheus`, else of PATH. Undefined and reported if missing. */
export function findPrometheus(program: Program): string | undefined {
  const cached = `${CACHE}/${program}`;
  const found = existsSync(cached) ? cached : findProgram(program);
  if (found !== undefined) return found;
  const { CI } = process.env;
  if (CI === 'true' && process.getuid?.() === 0)
    throw new Error(`${program} is missing in CI (scripts/test fetches it)`);
  missing(program, 'run scripts/fetch-prometheus');
  return undefined;
}
