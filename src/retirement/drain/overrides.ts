import { isBlank } from '../../base/text/blank.ts';
import { BLOCKER_CODES, type BlockerCode } from '../../telemetry/status/finding-codes.ts';
import type { Finding } from './finding.ts';
import type { Verdict } from './verdict.ts';

/** Somebody takes responsibility for a blocker. */
export interface Override {
  readonly code: string;
  readonly reason: string;
}

/**
 * Blockers that a person may take on themselves. Not where the local port leads: its clients would lose it, though a
 * successor is there. Nor what the daemon itself has not seen: nobody can vouch for that.
 */
const OVERRIDABLE: readonly BlockerCode[] = BLOCKER_CODES.filter(
  (code) => code !== 'cutover_in_progress' && code !== 'not_cut_over',
);

/** What is wrong with the overrides, in one sentence; undefined when nothing is. Pure. */
export function overrideFault(overrides: readonly Override[]): string | undefined {
  const unfounded = overrides.find(({ reason }) => isBlank(reason));
  if (unfounded) return `the override of ${unfounded.code} has no reason`;
  const codes = overrides.map(({ code }) => code);
  const twice = codes.find((code, index) => codes.indexOf(code) !== index);
  if (twice !== undefined) return `${twice} is overridden twice`;
  const foreign = codes.find((code) => !OVERRIDABLE.some((known) => known === code));
  return foreign === undefined ? undefined : `${foreign} cannot be overridden; these can: ${OVERRIDABLE.join(', ')}`;
}

/** A verdict less what somebody takes on themselves. */
export interface Standing {
  /** What still speaks against it. */
  readonly left: readonly Finding[];
  /** The overrides that were needed. */
  readonly used: readonly Override[];
}

/** Pure. */
export function withOverrides({ blockers, unknowns }: Verdict, overrides: readonly Override[]): Standing {
  const taken = new Set(overrides.map(({ code }) => code));
  return {
    left: [...blockers.filter(({ code }) => !taken.has(code)), ...unknowns],
    used: overrides.filter(({ code }) => blockers.some((blocker) => blocker.code === code)),
  };
}
