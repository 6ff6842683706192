import type { Unwritten } from '../base/files/state-writer.ts';
import type { Advisory } from '../telemetry/status/advisory.ts';

/** The advisories while memory and disk differ. Pure. */
export function unwrittenAdvisories(unwritten: readonly Unwritten[]): Advisory[] {
  return unwritten.map(({ path, code, since, message }) => ({
    code: 'state_unwritten' as const,
    message: `the newest state is not in ${path} since ${since.toISOString()} (${code}): ${message}`,
    subject: path,
  }));
}
