import { endMs } from '../moment.ts';
import type { Plan, PlanException } from '../plan.ts';
import { findStep, isWaveComplete } from '../progress.ts';

/** An exception that expires within this time is reported, in milliseconds. */
const EXPIRES_SOON_MS = 14 * 86_400_000;

export type ExceptionState =
  /** `until` is in words. `expiresAt` is set only if the plan gives a date. */
  | { readonly kind: 'live'; readonly until: string; readonly expiresAt: Date | undefined; readonly soon: boolean }
  | { readonly kind: 'expired'; readonly because: string };

/** Whether an exception is live or expired. One with a `condition` lives until a person removes it from the plan. */
export function exceptionState(
  plan: Pick<Plan, 'waves'>,
  { until }: Pick<PlanException, 'until'>,
  now: Date,
): ExceptionState {
  if (typeof until === 'string') {
    const end = endMs(until);
    if (now.getTime() >= end) return { kind: 'expired', because: `its date ${until} has passed` };
    return {
      kind: 'live',
      until,
      expiresAt: new Date(end),
      soon: end - now.getTime() <= EXPIRES_SOON_MS,
    };
  }
  if (until.waves !== undefined) {
    const names = `${until.waves.length === 1 ? 'wave' : 'waves'} ${until.waves.join(' and ')}`;
    if (until.waves.every((wave) => isWaveComplete(plan, wave)))
      return { kind: 'expired', because: `${names} ${until.waves.length === 1 ? 'is' : 'are'} complete` };
    return live(`${names} ${until.waves.length === 1 ? 'is' : 'are'} complete`);
  }
  if (until.step !== undefined) {
    if (findStep(plan, until.step)?.step.done !== undefined)
      return { kind: 'expired', because: `step ${until.step} is done` };
    return live(`step ${until.step} is done`);
  }
  // The loader rejects an exception without an end; fail closed all the same.
  if (until.condition === undefined) return { kind: 'expired', because: 'it has no end' };
  return live(until.condition);
}

function live(until: string): ExceptionState {
  return { kind: 'live', until, expiresAt: undefined, soon: false };
}
