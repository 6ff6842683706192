import type { Advisory } from '../../telemetry/status/advisory.ts';
import { checkPolicy, type PolicyNode } from './policy/policy.ts';
import type { WatchedPlan } from './watch.ts';

/**
 * What a running daemon has to say of the policy (SPEC section 7). It never stops for it: that a date has passed must not take
 * production down at the next start. `fleet-mesh check` is where the same findings are errors.
 */
export function advisoriesOf(node: PolicyNode, watched: WatchedPlan | undefined, now: Date): Advisory[] {
  const findings = checkPolicy(node, watched?.plan, now)
    // Without a plan in force nobody knows what it would say.
    .filter(({ code }) => watched?.plan !== undefined || !PLAN_CODES.has(code));
  return [...unusable(watched), ...findings.map(({ code, message }) => ({ code, message: firstHalf(message) }))];
}

const PLAN_CODES: ReadonlySet<string> = new Set(['step_unknown', 'exception_unknown']);

function unusable(watched: WatchedPlan | undefined): Advisory[] {
  if (watched === undefined || watched.lastLoad.ok) return [];
  const stays = watched.plan === undefined ? 'there is none in force' : 'the one before it stays in force';
  return [{ code: 'plan_unusable', message: `the plan cannot be used, ${stays}: ${watched.lastLoad.error}` }];
}

/** Without the "expected …" of a mistake in a file: this is told to people who are not editing one. */
function firstHalf(message: string): string {
  return message.replace(/; expected .*$/, '');
}
