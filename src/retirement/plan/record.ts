import { isDeepStrictEqual } from 'node:util';
import { didYouMean } from '../../base/text/closest.ts';
import { ConfigError } from '../../config/problem.ts';
import { NotEditable } from '../../config/text-edit.ts';
import { asOf } from './as-of.ts';
import { type EditTarget, insertRecord } from './edit.ts';
import { parsePlan } from './load.ts';
import type { Plan } from './plan.ts';
import { closedGates, findStep } from './progress.ts';
import { approval, completion } from './schema.ts';

/** An approval or a completion for the plan. */
export type PlanEntry =
  | { readonly kind: 'approve'; readonly gate: string; readonly by: string; readonly evidence: string }
  | { readonly kind: 'done'; readonly step: string; readonly evidence: string };

/** `usage`: the request is wrong. `refused`: the request is valid, but not now. The message is one line. */
export interface Refusal {
  readonly kind: 'usage' | 'refused';
  readonly message: string;
}

/** The plan with the entry, as text and parsed. */
export interface Recorded {
  readonly text: string;
  readonly plan: Plan;
}

/**
 * Writes an entry into the text of a plan. Parses the result to prove that only the entry was added. Throws a ConfigError
 * if the text is not a valid plan. Pure.
 */
export function recordIn(bytes: Buffer, path: string, entry: PlanEntry, now: Date): Recorded | Refusal {
  const { plan } = parsePlan(bytes, path);
  const refusal = entry.kind === 'approve' ? refuseApproval(plan, entry.gate) : refuseCompletion(plan, entry.step, now);
  if (refusal !== undefined) return refusal;
  const record = recordOf(entry, now);
  const flaw = flawOf(entry, record);
  if (flaw !== undefined) return { kind: 'usage', message: flaw };
  try {
    const text = insertRecord(bytes.toString('utf8'), targetOf(entry), record);
    const edited = parsePlan(Buffer.from(text), path).plan;
    const expected = { ...withRecord(plan, entry, record), sha256: edited.sha256 };
    if (isDeepStrictEqual(edited, expected)) return { text, plan: edited };
  } catch (error) {
    if (!(error instanceof NotEditable) && !(error instanceof ConfigError)) throw error;
  }
  const { id, key } = targetOf(entry);
  return {
    kind: 'refused',
    message: `${id} cannot be edited automatically; add this line by hand: ${key}: ${JSON.stringify(record)}`,
  };
}

function refuseApproval(plan: Plan, id: string): Refusal | undefined {
  const gate = plan.gates.find((candidate) => candidate.id === id);
  if (gate === undefined)
    return unknown(
      'gate',
      id,
      plan.gates.map((candidate) => candidate.id),
    );
  if (gate.approved === undefined) return undefined;
  const { by, at, evidence } = gate.approved;
  return { kind: 'refused', message: `gate ${id} is already approved by ${by} at ${at}: ${evidence}` };
}

function refuseCompletion(plan: Plan, id: string, now: Date): Refusal | undefined {
  const place = findStep(plan, id);
  if (place === undefined)
    return unknown(
      'step',
      id,
      plan.waves.flatMap(({ steps }) => steps.map((step) => step.id)),
    );
  const { done } = place.step;
  if (done !== undefined)
    return { kind: 'refused', message: `step ${id} is already done at ${done.at}: ${done.evidence}` };
  // Steps may be done out of order, but never before their gate is approved.
  const [closed] = closedGates(asOf(plan, now), id);
  if (closed === undefined) return undefined;
  const first = `fleet-mesh plan approve ${closed.id} --by WHO --evidence TEXT`;
  return {
    kind: 'refused',
    message: `gate ${closed.id} (${closed.title}) blocks step ${id}; ${closed.owner} must approve the gate first: ${first}`,
  };
}

function unknown(kind: string, id: string, known: readonly string[]): Refusal {
  const all = known.join(', ') || 'none';
  return {
    kind: 'usage',
    message: `the plan has no ${kind} ${JSON.stringify(id)}; known: ${all}${didYouMean(id, known)}`,
  };
}

function targetOf(entry: PlanEntry): EditTarget {
  if (entry.kind === 'approve') return { lists: ['gates', '*'], id: entry.gate, key: 'approved' };
  return { lists: ['waves', '*', 'steps', '*'], id: entry.step, key: 'done' };
}

function recordOf(entry: PlanEntry, now: Date): Record<string, string> {
  const at = `${now.toISOString().slice(0, 19)}Z`;
  return entry.kind === 'approve' ? { by: entry.by, at, evidence: entry.evidence } : { at, evidence: entry.evidence };
}

function flawOf(entry: PlanEntry, record: Record<string, string>): string | undefined {
  const issue = (entry.kind === 'approve' ? approval : completion).safeParse(record).error?.issues[0];
  return issue && `--${issue.path.join('.')}: ${issue.message}`;
}

function withRecord(plan: Plan, entry: PlanEntry, record: Record<string, string>): Plan {
  const { gates, waves, ...rest } = structuredClone(plan);
  if (entry.kind === 'approve') {
    const approved = approval.parse(record);
    return { ...rest, waves, gates: gates.map((gate) => (gate.id === entry.gate ? { ...gate, approved } : gate)) };
  }
  const done = completion.parse(record);
  const steps = (wave: (typeof waves)[number]) =>
    wave.steps.map((step) => (step.id === entry.step ? { ...step, done } : step));
  return { ...rest, gates, waves: waves.map((wave) => ({ ...wave, steps: steps(wave) })) };
}
