import { ConfigError } from '../../config/problem.ts';
import { loadPlan } from '../plan/load.ts';
import type { Workload } from '../plan/plan.ts';
import type { PlanFacts } from './facts.ts';

/** The facts about the host in the plan at `path`; an invalid plan is a fact, too. */
export async function planFacts(path: string | undefined, offline: string): Promise<PlanFacts> {
  if (path === undefined) return { kind: 'none' };
  try {
    const { sha256, workloads } = await loadPlan(path);
    return { kind: 'read', path, sha256, ...placedOn(workloads, offline) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { kind: 'unusable', path, error: error.message };
  }
}

/**
 * Finds workloads of the host in the register, which names places in words. A target that begins with the host's name moves
 * there; a current place that contains the name is still there. Pure.
 */
export function placedOn(
  workloads: readonly Pick<Workload, 'id' | 'name' | 'current' | 'target' | 'status'>[],
  offline: string,
): { readonly movingThere: readonly string[]; readonly stillThere: readonly string[] } {
  const words = (text: string) => text.split(/[^\w.-]+/);
  const rows = (chosen: typeof workloads) => chosen.map(({ id, name }) => `row ${id} (${name})`);
  const left = workloads.filter(({ status }) => status !== 'retired');
  return {
    movingThere: rows(left.filter(({ target }) => target !== undefined && words(target)[0] === offline)),
    stillThere: rows(left.filter(({ current }) => words(current).includes(offline))),
  };
}
