import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The time of all files of a build, in seconds since 1970: SOURCE_DATE_EPOCH, else the newest commit, else the changelog.
 * Equal checkouts give equal times. Throws if SOURCE_DATE_EPOCH is no whole number.
 */
export function sourceEpoch(checkout: string): number {
  const epoch = written(checkout);
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new Error('SOURCE_DATE_EPOCH is not a whole number of seconds');
  }
  return epoch;
}

function written(checkout: string): number {
  const { SOURCE_DATE_EPOCH } = process.env;
  if (SOURCE_DATE_EPOCH !== undefined) return Number(SOURCE_DATE_EPOCH);
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: checkout, encoding: 'utf8', stdio }));
  } catch {
    return Math.floor(statSync(join(checkout, 'CHANGELOG.md')).mtimeMs / 1_000);
  }
}
