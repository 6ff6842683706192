import { formatSpan } from '../../base/text/span.ts';
import { LONGEST_SILENCE_MS } from '../evidence/history.ts';
import type { AcceptanceFacts, PlanFacts } from './facts.ts';
import { judgeHost } from './host.ts';
import { type HostRecord, type Judgement, type Reason, reasonOf } from './judgement.ts';
import { inForce, judgeRoutes, productionOf } from './routes.ts';
import { judgeTunnel } from './tunnel.ts';

/**
 * Whether the evidence proves that production did without the host: every production tunnel served throughout the window,
 * the host was away throughout, and no route went over it. What is not known counts as not so. Pure.
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
    reasonOf('evidence_damaged', `the evidence is not as it was written: ${file}:${line} ${message}`),
  );
  const end = log.endKnown
    ? []
    : [reasonOf('evidence_end_unknown', 'events.head is missing: whether the end was changed is not known')];
  if (!window) return [...damage, ...end, reasonOf('no_evidence', 'the evidence has no entry up to that time')];
  const oldMs = now - window.until;
  const old =
    oldMs <= LONGEST_SILENCE_MS
      ? []
      : [
          reasonOf('evidence_too_old', `nothing was written for ${formatSpan(oldMs)}`, {
            from: window.until,
            until: now,
          }),
        ];
  return [...damage, ...end, ...old];
}

function judgePlan(plan: PlanFacts, offline: string): Reason[] {
  if (plan.kind === 'unusable') return [reasonOf('plan_unusable', `${plan.path} cannot be used: ${plan.error}`)];
  if (plan.kind === 'none') return [];
  return plan.movingThere.map((workload) =>
    reasonOf('plan_route', `the plan has ${workload} end up on ${offline}, where nothing of production may be`),
  );
}

function remarksOnHost({ name, codes, last_seen_before: seen }: HostRecord): string[] {
  const refused = codes.includes('connect_refused');
  return [
    ...(seen === null
      ? [`${name} was never reachable as far as the evidence goes back: nothing shows that it would have been found.`]
      : [`${name} was last reachable until ${seen}, before the window: it is found when it is there.`]),
    ...(refused
      ? [
          `A refusal (connect_refused) means that a machine or a firewall answered at that address, though nothing listened.`,
        ]
      : []),
    ...(codes.includes('dns_failed')
      ? [`The name did not resolve (dns_failed): where it does not even while ${name} is on, that proves nothing.`]
      : []),
  ];
}

function remarksOnPlan(plan: PlanFacts, offline: string): string[] {
  if (plan.kind === 'none') return ['The configuration names no plan: where workloads are was not looked at.'];
  if (plan.kind === 'unusable' || plan.stillThere.length === 0) return [];
  return [`The register of the plan still has on ${offline}: ${plan.stillThere.join('; ')}.`];
}
