import { isBlank } from '../../base/text/blank.ts';
import { BLOCKER_CODES, type BlockerCode } from '../../telemetry/status/finding-codes.ts';
import type { Finding } from './finding.ts';
import type { Verdict } from './verdict.ts';

/** A person takes responsibility for a blocker. */
export interface Override {
  readonly code: string;
  readonly reason: string;
}

/**
 * Blockers that a person may override. The route of the local port is excluded: clients would lose the port although a
 * successor exists. Unknowns are excluded: nobody can vouch for what the daemon has not seen.
 */
export const OVERRIDABLE: readonly BlockerCode[] = BLOCKER_CODES.filter(
  (code) => code !== 'cutover_in_progress' && code !== 'not_cut_over',
);

/** The first mistake in the overrides, in one sentence; undefined if there is none. Pure. */
export function overrideFault(overrides: readonly Override[]): string | undefined {
  const unfounded = overrides.find(({ reason }) => isBlank(reason));
  if (unfounded) return `the override of ${unfounded.code} has no reason`;
  const codes = overrides.map(({ code }) => code);
  const twice = codes.find((code, index) => codes.indexOf(code) !== index);
  if (twice !== undefined) return `the override of ${twice} is given twice`;
  const foreign = codes.find((code) => !OVERRIDABLE.some((known) => known === code));
  return foreign === undefined ? undefined : `${foreign} cannot be overridden; allowed: ${OVERRIDABLE.join(', ')}`;
}

/** What remains of a verdict after the overrides. */
export interface Standing {
  /** Findings that still prevent retirement. */
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
