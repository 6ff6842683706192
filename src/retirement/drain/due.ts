import { stepFacts } from '../plan/step-facts.ts';
import type { WatchedPlan } from '../plan/watch.ts';
import type { VerdictFacts } from './facts.ts';

/**
 * What the plan file says of the step, or in one sentence why nobody can tell. Fails closed: while the file cannot be used,
 * the plan that was in force before it says nothing either. Pure.
 */
export function dueFacts(watched: WatchedPlan | undefined, step: string): VerdictFacts['step'] {
  if (watched && !watched.lastLoad.ok)
    return `the plan cannot be used, so that nobody knows when step ${step} is due: ${watched.lastLoad.error}`;
  return stepFacts(watched?.plan, step);
}
