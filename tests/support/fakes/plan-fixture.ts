import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { parsePlan } from '../../../src/retirement/plan/load.ts';
import type { Plan } from '../../../src/retirement/plan/plan.ts';
import { type PlanEntry, recordIn } from '../../../src/retirement/plan/record.ts';

const REAL = fileURLToPath(new URL('../../../config/drain-plan.yaml', import.meta.url));

/** The bytes of the shipped plan. */
export const REAL_PLAN: Buffer = readFileSync(REAL);

export function realPlan(): Plan {
  return parsePlan(REAL_PLAN, REAL).plan;
}

/** The text of a plan after `plan approve` of these gates and `plan done` of these steps, in order. */
export function recorded(text: Buffer, ...ids: readonly string[]): Buffer {
  return recordedAt(new Date('2026-11-21T12:00:00Z'), text, ...ids);
}

/** Like {@link recorded}, with the date of the entries. */
export function recordedAt(now: Date, text: Buffer, ...ids: readonly string[]): Buffer {
  return ids.reduce((before, id) => {
    const entry: PlanEntry = /^\d/.test(id)
      ? { kind: 'done', step: id, evidence: 'seen' }
      : { kind: 'approve', gate: id, by: 'worsch', evidence: 'decision' };
    const result = recordIn(before, 'plan.yaml', entry, now);
    if ('kind' in result) throw new Error(result.message);
    return Buffer.from(result.text);
  }, text);
}

/** A step by its id; `done` as in the YAML. */
const step = (id: string, done = false) => ({
  id,
  action: `do ${id}`,
  ...(done ? { done: { at: '2026-07-04', evidence: 'seen' } } : {}),
});

/** A wave with steps `ID.1`, `ID.2` …; the first `done` of them are done. */
export const wave = (id: number, requires: readonly number[], steps: number, done = 0) => ({
  id,
  title: `wave ${id}`,
  requires: [...requires],
  steps: Array.from({ length: steps }, (_, index) => step(`${id}.${index + 1}`, index < done)),
});

/** A plan with the parts that a test varies, parsed as the program parses a file. */
export function planOf(parts: Readonly<Record<string, unknown>>): Plan {
  return parsePlan(Buffer.from(planYaml(parts)), 'plan.yaml').plan;
}

export function planYaml(parts: Readonly<Record<string, unknown>>): string {
  return stringify({ version: 1, waves: [], ...parts }, { aliasDuplicateObjects: false });
}
