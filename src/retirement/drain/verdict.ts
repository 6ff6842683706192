import type { BlockerCode, UnknownCode } from '../../telemetry/status/finding-codes.ts';
import { blockers } from './blockers.ts';
import type { VerdictFacts } from './facts.ts';
import type { Finding } from './finding.ts';
import { unknowns } from './unknowns.ts';

export type VerdictName = 'retirable' | 'blocked' | 'unknown';

export interface Verdict {
  readonly verdict: VerdictName;
  readonly blockers: readonly Finding<BlockerCode>[];
  readonly unknowns: readonly Finding<UnknownCode>[];
}

/** Whether a tunnel may be retired. Anything unproven prevents retirement. Pure. */
export function judge(facts: VerdictFacts): Verdict {
  const found = { blockers: blockers(facts), unknowns: unknowns(facts) };
  if (found.blockers.length > 0) return { verdict: 'blocked', ...found };
  return { verdict: found.unknowns.length > 0 ? 'unknown' : 'retirable', ...found };
}
