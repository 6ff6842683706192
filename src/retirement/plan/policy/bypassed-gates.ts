import type { Plan } from '../plan.ts';
import type { PolicyFinding } from './policy-finding.ts';

/** A gate that nobody approved, though a step that it blocks is done. `plan done` refuses that; an editor does not. */
export function checkBypassedGates({ gates, waves }: Pick<Plan, 'gates' | 'waves'>): PolicyFinding[] {
  const done = new Set(
    waves.flatMap(({ steps }) => steps.filter((step) => step.done !== undefined).map(({ id }) => id)),
  );
  return gates.flatMap(({ id, blocks, approved }, index): PolicyFinding[] => {
    const past = approved === undefined ? blocks.filter((step) => done.has(step)) : [];
    if (past.length === 0) return [];
    const steps = past.length === 1 ? `step ${past[0]} is` : `steps ${past.join(', ')} are`;
    const message = `gate ${id} is not approved, but ${steps} done; expected its approval first, with who, when and evidence`;
    return [
      { file: 'plan', severity: 'error', code: 'gate_bypassed', path: ['gates', index, 'id'], message, at: 'value' },
    ];
  });
}
