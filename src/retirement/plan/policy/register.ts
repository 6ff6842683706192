import { movesIn, type Plan, type Workload } from '../plan.ts';
import { requiredBefore } from '../progress.ts';
import type { PolicyFinding } from './policy-finding.ts';

/** The placement register: every workload has a target and an owner, and identity moves last. */
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
  // Nobody owns a move that does not take place.
  const stays = workload.wave === undefined && workload.status === 'on target';
  return [
    ...(workload.target === undefined
      ? [
          missing(
            'target',
            `workload ${workload.id} (${workload.name}) has no target; expected where it goes, or retired`,
          ),
        ]
      : []),
    ...(workload.owners.length === 0 && !stays
      ? [missing('owners', `workload ${workload.id} (${workload.name}) has no owner; expected who moves it`)]
      : []),
  ];
}

/**
 * Everything authenticates through identity: the waves that move it come after every other one, and after them only whole
 * machines may follow, in waves that require them. A wave that merely has a higher number could be begun before.
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
        ? `wave ${wave.id} moves services after wave ${last.id}, which moves identity; expected identity last`
        : `wave ${wave.id} may come after wave ${last.id}, which moves identity; expected wave ${last.id} to require it`;
      const at = follows
        ? (['waves', index, 'requires'] as const)
        : (['waves', plan.waves.indexOf(last), 'requires'] as const);
      return [{ file: 'plan', severity: 'error', code: 'identity_not_last', path: at, message, at: 'key' }];
    });
  });
}
