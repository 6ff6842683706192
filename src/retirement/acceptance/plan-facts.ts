import { ConfigError } from '../../config/problem.ts';
import { loadPlan } from '../plan/load.ts';
import type { Workload } from '../plan/plan.ts';
import type { PlanFacts } from './facts.ts';

/** What the plan at `path` says of the host; a plan that cannot be used is a fact as well. */
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

/** The register says in words where things are: those that begin with the host's name end there, those that name it touch it. Pure. */
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
