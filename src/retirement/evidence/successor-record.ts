import { z } from 'zod';

const time = z.iso.datetime();

/** Between two runs, the wall clock may tell this much more than the clock of the boot, in milliseconds. */
const CLOCK_TOLERANCE_MS = 5_000;

/**
 * The probe results of a successor in one run of the daemon. The wall clock only labels: times are measured by the clock of
 * the boot. Lines of earlier versions lack that clock, and prove nothing across a restart.
 */
export const successorRecord = z.object({
  /** Target and check: another target or check is another successor. */
  subject: z.string(),
  /** Start of the current run of passed checks; null if the last check failed. */
  passing_since: time.nullable(),
  last_passed_at: time.nullable(),
  /** The same moments in milliseconds since the boot. */
  passing_since_ms: z.number().nullable().optional(),
  last_passed_ms: z.number().nullable().optional(),
  /** Id of the boot; null if unknown. */
  boot: z.string().nullable().optional(),
  /** Checks further apart than this prove nothing about the time between them, in milliseconds. */
  within_ms: z.int().positive(),
});
export type SuccessorRecord = z.infer<typeof successorRecord>;

/** A moment by the clock of the boot, in milliseconds, and by the wall clock, in milliseconds since the epoch. */
export interface BootMoment {
  readonly sinceBootMs: number;
  readonly wall: number;
}

/** The probe results of a successor over all runs. */
export interface SuccessorHistory {
  readonly subject: string;
  readonly boot: string | undefined;
  /** Within the latest run. */
  readonly passingSince: BootMoment | undefined;
  readonly lastPassed: BootMoment | undefined;
  /** Since when no check has failed or was missing; may reach into earlier runs of the same boot. */
  readonly healthySince: BootMoment | undefined;
}

/**
 * The history after one more record. A restart of the daemon does not end the healthy time if the first check after it
 * passes, in the same boot, and follows the last one before it within `within_ms` by both clocks. Pure.
 */
export function withRecord(before: SuccessorHistory | undefined, record: SuccessorRecord): SuccessorHistory {
  const passingSince = moment(record.passing_since_ms, record.passing_since);
  const now = {
    subject: record.subject,
    boot: record.boot ?? undefined,
    passingSince,
    lastPassed: moment(record.last_passed_ms, record.last_passed_at),
    healthySince: passingSince,
  };
  if (!passingSince || !before?.healthySince || !before.lastPassed) return now;
  if (before.subject !== now.subject || now.boot === undefined || before.boot !== now.boot) return now;
  const gapMs = passingSince.sinceBootMs - before.lastPassed.sinceBootMs;
  const labelledMs = passingSince.wall - before.lastPassed.wall;
  // A machine that slept: only the wall clock went on.
  const short = gapMs >= 0 && gapMs <= record.within_ms && labelledMs <= record.within_ms + CLOCK_TOLERANCE_MS;
  const goesOn = before.passingSince?.sinceBootMs === passingSince.sinceBootMs || short;
  return goesOn ? { ...now, healthySince: before.healthySince } : now;
}

function moment(sinceBootMs: number | null | undefined, label: string | null): BootMoment | undefined {
  if (typeof sinceBootMs !== 'number' || label === null) return undefined;
  return { sinceBootMs, wall: Date.parse(label) };
}
