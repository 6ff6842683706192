import type { Advisory } from '../../telemetry/status/advisory.ts';
import { checkPolicy, type PolicyNode } from './policy/policy.ts';
import type { WatchedPlan } from './watch.ts';

/**
 * The policy findings of a running daemon, as advisories. They never stop the daemon: an expired date must
 * not take production down at the next start. In `fleet-mesh check` the same findings are errors.
 */
export function advisoriesOf(node: PolicyNode, watched: WatchedPlan | undefined, now: Date): Advisory[] {
  const findings = checkPolicy(node, watched?.plan, now)
    // Without a plan in force these findings would be guesses.
    .filter(({ code }) => watched?.plan !== undefined || !PLAN_CODES.has(code));
  return [
    ...unusable(watched),
    ...findings.map(({ code, message, subject }) => ({
      code,
      message: withoutExpected(message),
      ...(subject !== undefined && { subject }),
    })),
  ];
}

const PLAN_CODES: ReadonlySet<string> = new Set(['step_unknown', 'exception_unknown']);

function unusable(watched: WatchedPlan | undefined): Advisory[] {
  if (watched === undefined || watched.lastLoad.ok) return [];
  const inForce = watched.plan === undefined ? 'no plan is in force' : 'the previous plan stays in force';
  const message = `the plan is invalid, ${inForce}: ${watched.lastLoad.error}`;
  return [{ code: 'plan_unusable', message, subject: 'plan' }];
}

/** Removes the "expected …" of a mistake in a file: readers of an advisory are not editing the file. */
function withoutExpected(message: string): string {
  return message.replace(/; expected .*$/, '');
}
