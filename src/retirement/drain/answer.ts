import { z } from 'zod';
import { BLOCKER_CODES, type FindingCode, UNKNOWN_CODES } from '../../telemetry/status/finding-codes.ts';
import type { Finding } from './finding.ts';

const instant = z.iso.datetime();

const findingOf = <Code extends string>(codes: readonly [Code, ...Code[]]) =>
  z.object({
    code: z.enum(codes),
    message: z.string(),
    since: instant.nullable(),
    clears_when: z.string(),
    /** When the finding clears if nothing else happens; null if time alone does not clear it. */
    clears_at: instant.nullable(),
    /** Whether waiting can help. False: a person must act first. */
    clears_by_itself: z.boolean(),
    examples: z.array(z.string()),
  });

/** The verdict on one tunnel: what `GET /drain/{tunnel}` answers. */
export const verdictAnswer = z.object({
  tunnel: z.string(),
  /** Null if there is nothing to judge; `message` says why. */
  verdict: z.enum(['retirable', 'blocked', 'unknown']).nullable(),
  message: z.string(),
  /** When the tunnel was retired; null if it is not retired. */
  retired_at: instant.nullable(),
  checked_at: instant,
  blockers: z.array(findingOf(BLOCKER_CODES)),
  unknowns: z.array(findingOf(UNKNOWN_CODES)),
  /** `drain.rollback` of the configuration. */
  rollback: z.string().nullable(),
});
export type VerdictAnswer = z.infer<typeof verdictAnswer>;

/** A finding in the JSON of an answer. */
export function findingAnswer<Code extends FindingCode>(found: Finding<Code>) {
  const { code, message, since, clearsWhen, clearsAt, clearsByItself, examples } = found;
  return {
    code,
    message,
    since: since?.toISOString() ?? null,
    clears_when: clearsWhen,
    clears_at: clearsAt?.toISOString() ?? null,
    clears_by_itself: clearsByItself,
    examples: [...examples],
  };
}

/** Whether the tunnel may be retired, or is retired already. */
export function isPassed({ verdict, retired_at }: Pick<VerdictAnswer, 'verdict' | 'retired_at'>): boolean {
  return verdict === 'retirable' || retired_at !== null;
}
