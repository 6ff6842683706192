import { z } from 'zod';

const time = z.iso.datetime();

/** The probe results of a successor in one run of the daemon. */
export const successorRecord = z.object({
  /** Target and check: another target or check is another successor. */
  subject: z.string(),
  /** Start of the current run of passed checks; null if the last check failed. */
  passing_since: time.nullable(),
  last_passed_at: time.nullable(),
  /** Checks further apart than this prove nothing about the time between them, in milliseconds. */
  within_ms: z.int().positive(),
});
export type SuccessorRecord = z.infer<typeof successorRecord>;

/** The probe results of a successor over all runs. Milliseconds since the epoch. */
export interface SuccessorHistory {
  readonly subject: string;
  /** Within the latest run. */
  readonly passingSince: number | undefined;
  readonly lastPassedAt: number | undefined;
  /** Since when no check has failed or was missing; may reach into earlier runs. */
  readonly healthySince: number | undefined;
}

/**
 * The history after one more record. A restart of the daemon does not end the healthy time if the first check after it
 * passes, and follows the last one before it within `within_ms`. Pure.
 */
export function withRecord(before: SuccessorHistory | undefined, record: SuccessorRecord): SuccessorHistory {
  const passingSince = moment(record.passing_since);
  const now = {
    subject: record.subject,
    passingSince,
    lastPassedAt: moment(record.last_passed_at),
    healthySince: passingSince,
  };
  if (passingSince === undefined || before?.subject !== record.subject) return now;
  const { healthySince, lastPassedAt } = before;
  if (healthySince === undefined || lastPassedAt === undefined) return now;
  const gapMs = passingSince - lastPassedAt;
  const goesOn = before.passingSince === passingSince || (gapMs >= 0 && gapMs <= record.within_ms);
  return goesOn ? { ...now, healthySince } : now;
}

function moment(instant: string | null): number | undefined {
  return instant === null ? undefined : Date.parse(instant);
}
