import { movesIn, type Plan, type Workload } from '../plan.ts';
import { requiredBefore } from '../progress.ts';
import type { PolicyFinding } from './policy-finding.ts';

/** Checks the placement register: every workload has a target and an owner, and identity moves last. */
export function checkRegister(plan: Pick<Plan, 'waves' | 'workloads'>): PolicyFinding[] {
  return [...plan.workloads.flatMap(checkWorkload), ...checkIdentityLast(plan)];
}

function checkWorkload(workload: Workload, index: number): PolicyFinding[] {
  const missing = (field: string, message: string): PolicyFinding => ({
    file: 'plan',
    severity: 'error',
    code: 'workload_incomplete',
    path: ['workloads', index, field],
    message,
    at: 'key',
  });
  // A workload that stays needs no owner.
  const stays = workload.wave === undefined && workload.status === 'on target';
  return [
    ...(workload.target === undefined
      ? [missing('target', `workload ${workload.id} (${workload.name}) has no target; expected a place, or retired`)]
      : []),
    ...(workload.owners.length === 0 && !stays
      ? [
          missing(
            'owners',
            `workload ${workload.id} (${workload.name}) has no owner; expected the mover of the workload`,
          ),
        ]
      : []),
  ];
}

/**
 * Everything authenticates through identity, so identity waves come last. Only waves that move machines may follow, and they
 * must require the identity waves: a higher number alone does not put a wave after them.
 */
function checkIdentityLast(plan: Pick<Plan, 'waves' | 'workloads'>): PolicyFinding[] {
  const isOf = (kind: Workload['kind'], wave: number) =>
    plan.workloads.some((workload) => workload.kind === kind && movesIn(workload, wave));
  const identity = plan.waves.filter(({ id }) => isOf('identity', id));
  return identity.flatMap((last) => {
    const before = requiredBefore(plan, last.id);
    return plan.waves.flatMap((wave, index): PolicyFinding[] => {
      if (identity.includes(wave) || before.has(wave.id)) return [];
      const follows = requiredBefore(plan, wave.id).has(last.id);
      if (follows && !isOf('service', wave.id)) return [];
      const message = follows
        ? `wave ${wave.id} moves services after the identity wave ${last.id}; expected identity last`
        : `wave ${wave.id} may come after the identity wave ${last.id}; expected wave ${last.id} to require wave ${wave.id}`;
      const at = follows
        ? (['waves', index, 'requires'] as const)
        : (['waves', plan.waves.indexOf(last), 'requires'] as const);
      return [{ file: 'plan', severity: 'error', code: 'identity_not_last', path: at, message, at: 'key' }];
    });
  });
}
