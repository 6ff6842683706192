import { z } from 'zod';

const time = z.iso.datetime();

/** How the place that is to serve a tunnel's port was found by its probe, up to a moment of one run of the daemon. */
export const successorRecord = z.object({
  /** What was asked, and how: another target or another check is another successor. */
  subject: z.string(),
  /** Since when each check of this run has passed; null when the last one has not. */
  passing_since: time.nullable(),
  last_passed_at: time.nullable(),
  /** Checks further apart than this prove nothing of the time between them, in milliseconds. */
  within_ms: z.int().positive(),
});
export type SuccessorRecord = z.infer<typeof successorRecord>;

/** The same, over all runs. Milliseconds since the epoch. */
export interface SuccessorHistory {
  readonly subject: string;
  /** Within the run that told it last. */
  readonly passingSince: number | undefined;
  readonly lastPassedAt: number | undefined;
  /** Since when no check has failed, and none was missing; may reach into earlier runs. */
  readonly healthySince: number | undefined;
}

/**
 * What is known with one more record. A restart of the daemon breaks nothing when the first check after it has passed, and
 * came as soon after the last one before it as checks come anyway. Pure.
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
