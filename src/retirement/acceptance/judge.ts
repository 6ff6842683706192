import { formatSpan } from '../../base/text/span.ts';
import { LONGEST_SILENCE_MS } from '../evidence/history.ts';
import type { AcceptanceFacts, PlanFacts } from './facts.ts';
import { judgeHost } from './host.ts';
import { type HostRecord, type Judgement, type Reason, reasonOf } from './judgement.ts';
import { judgeOrigin } from './origin.ts';
import { inForce, judgeRoutes, productionOf } from './routes.ts';
import { judgeTunnel } from './tunnel.ts';

/**
 * Whether the evidence proves that production works without the host: every production tunnel served, the host was
 * unreachable, and no route used the host, throughout the window. Unknown counts as not proven. Pure.
 */
export function judge(facts: AcceptanceFacts): Judgement {
  const { window, offline, plan } = facts;
  const log = [...judgeLog(facts), ...judgePlan(plan, offline)];
  if (!window) {
    const { record: host } = judgeHost(offline, { marks: [], checks: [] }, { from: 0, until: 0 });
    return { verdict: 'FAIL', reasons: log, remarks: [], tunnels: [], host };
  }
  const periods = inForce(facts.routes, window);
  const tunnels = productionOf(periods).map((tunnel) => judgeTunnel(tunnel, facts.historyOf(tunnel.name), window));
  const host = judgeHost(offline, facts.host, window);
  const reasons = [
    ...log,
    ...judgeOrigin(facts, window),
    ...tunnels.flatMap((tunnel) => tunnel.reasons),
    ...host.reasons,
    ...judgeRoutes(periods, offline),
  ];
  return {
    verdict: reasons.length === 0 ? 'PASS' : 'FAIL',
    reasons,
    remarks: [...remarksOnHost(host.record), ...remarksOnPlan(plan, offline)],
    tunnels: tunnels.map(({ record }) => record),
    host: host.record,
  };
}

function judgeLog({ log, window, now }: AcceptanceFacts): Reason[] {
  const damage = log.problems.map(({ file, line, message }) =>
    reasonOf('evidence_damaged', `the evidence is damaged: ${file}:${line} ${message}`),
  );
  const end = log.endKnown
    ? []
    : [reasonOf('evidence_end_unknown', 'events.head is missing: cannot tell whether entries are missing at the end')];
  if (!window)
    return [...damage, ...end, reasonOf('no_evidence', 'the evidence has no entry before the end of the window')];
  const oldMs = now - window.until;
  const old =
    oldMs <= LONGEST_SILENCE_MS
      ? []
      : [
          reasonOf('evidence_too_old', `the daemon has written no evidence for ${formatSpan(oldMs)}`, {
            from: window.until,
            until: now,
          }),
        ];
  return [...damage, ...end, ...old];
}

function judgePlan(plan: PlanFacts, offline: string): Reason[] {
  if (plan.kind === 'unusable') return [reasonOf('plan_unusable', `the plan ${plan.path} is invalid: ${plan.error}`)];
  if (plan.kind === 'none') return [];
  return plan.movingThere.map((workload) =>
    reasonOf('plan_route', `the plan moves ${workload} to ${offline}, which must not carry production`),
  );
}

function remarksOnHost({ name, codes, last_seen_before: seen }: HostRecord): string[] {
  const refused = codes.includes('connect_refused');
  return [
    ...(seen === null
      ? [`The evidence never shows ${name} reachable, so nothing proves that the check would find ${name}.`]
      : [`${name} was last reachable until ${seen}, before the window. So the check finds ${name} when it is up.`]),
    ...(refused
      ? [
          'A refused connection (connect_refused) means that a machine or firewall answered, but no SSH server listened.',
        ]
      : []),
    ...(codes.includes('dns_failed')
      ? [
          `The name did not resolve (dns_failed). This proves nothing if the name never resolves, even while ${name} is up.`,
        ]
      : []),
  ];
}

function remarksOnPlan(plan: PlanFacts, offline: string): string[] {
  if (plan.kind === 'none') return ['The configuration names no plan, so the places of workloads were not checked.'];
  if (plan.kind === 'unusable' || plan.stillThere.length === 0) return [];
  return [`The plan still has workloads on ${offline}: ${plan.stillThere.join('; ')}.`];
}
