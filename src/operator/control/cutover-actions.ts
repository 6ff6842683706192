import { ControlRefused } from '../../base/refusal.ts';
import type { Outcome } from '../../retirement/cutover/cutover.ts';
import { CutoverImpossible, type Rehearsal } from '../../retirement/cutover/cutovers.ts';
import type { Progress } from '../../retirement/cutover/journal.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { ControlActions } from './answer.ts';
import type { CutoverResult } from './protocol.ts';

/** What moves the local port of a tunnel. All reject with {@link CutoverImpossible}. */
export interface RoutedDaemon {
  start(name: string, progress: Progress): Promise<Outcome>;
  rehearse(name: string): Promise<Rehearsal>;
  rollback(name: string, reason: string, progress: Progress): Promise<Outcome>;
  /** What is under way ends on the side of the tunnel. Never rejects. */
  giveUp(name: string, reason: string): Promise<void>;
  /** Those are not retired any more. Never rejects. */
  backInService(names: readonly string[]): Promise<void>;
}

export interface CutoverActionsDependencies {
  readonly cutovers: RoutedDaemon;
  readonly note: TakeNote;
  /** Throws unless there is a tunnel of that name. */
  known(name: string): void;
  /** Runs a change when those before it are done. */
  inTurn<T>(change: () => Promise<T>): Promise<T>;
  /** Has the plan file read as it is now: an approval that has just been written counts, and one taken out does not. */
  followPlan(): Promise<void>;
}

/** The commands that move the local port of a tunnel. */
export function cutoverActions({
  cutovers,
  note,
  known,
  inTurn,
  followPlan,
}: CutoverActionsDependencies): Pick<ControlActions, 'cutover' | 'rehearseCutover' | 'rollback'> {
  return {
    cutover: async (name, tell) => {
      // Begun in turn, with a configuration that nobody is changing; then nobody else waits for it.
      const { done } = await inTurn(async () => {
        known(name);
        note({ event: 'operator.cutover', tunnel: name });
        await followPlan();
        return { done: refusing(() => cutovers.start(name, tell)) };
      });
      return resultOf(await done);
    },
    rehearseCutover: async (name) => {
      known(name);
      await followPlan();
      const { steps, checks } = await refusing(() => cutovers.rehearse(name));
      const outcome = checks.every(({ ok }) => ok) ? 'possible' : 'blocked';
      return { ...resultOf({ outcome: 'unchanged', reason: null, checks }), outcome, steps: [...steps] };
    },
    rollback: async (name, tell) => {
      known(name);
      note({ event: 'operator.rollback', tunnel: name });
      return resultOf(await refusing(() => cutovers.rollback(name, 'an operator wants it back', tell)));
    },
  };
}

function resultOf({ outcome, reason, checks }: Outcome): CutoverResult {
  const shown = checks.map(({ details, ...check }) => ({ ...check, details: [...details] }));
  return { outcome, reason, steps: [], checks: shown };
}

async function refusing<Result>(task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof CutoverImpossible)) throw error;
    throw new ControlRefused('cutover_impossible', error.message, { hint: error.hint });
  }
}
