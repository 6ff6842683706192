import { isDeepStrictEqual } from 'node:util';
import { didYouMean } from '../../base/text/closest.ts';
import { ConfigError } from '../../config/problem.ts';
import { asOf } from './as-of.ts';
import { type EditTarget, insertRecord, NotEditable } from './edit.ts';
import { parsePlan } from './load.ts';
import type { Plan } from './plan.ts';
import { closedGates, findStep } from './progress.ts';
import { approval, completion } from './schema.ts';

/** What somebody wants to write into the plan. */
export type PlanEntry =
  | { readonly kind: 'approve'; readonly gate: string; readonly by: string; readonly evidence: string }
  | { readonly kind: 'done'; readonly step: string; readonly evidence: string };

/** `usage`: what was asked for makes no sense. `refused`: it does, but not now. The message is one line for people. */
export interface Refusal {
  readonly kind: 'usage' | 'refused';
  readonly message: string;
}

/** The plan with the entry in it, as text and as what it means. */
export interface Recorded {
  readonly text: string;
  readonly plan: Plan;
}

/**
 * Writes an entry into the text of a plan. What comes back is proven to be the plan of before and the entry, nothing else:
 * no other result leaves this function. Throws a ConfigError when the text is no plan to begin with. Pure.
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
    message: `${id} is written in a way that cannot be edited without touching more than it; add ${key}: ${JSON.stringify(record)} by hand`,
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
  return { kind: 'refused', message: `gate ${id} is approved already: by ${by} at ${at}, ${evidence}` };
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
    return { kind: 'refused', message: `step ${id} is done already: at ${done.at}, ${done.evidence}` };
  // Steps may well be done out of their order; what only a human may allow must not have been done before that.
  const [closed] = closedGates(asOf(plan, now), id);
  if (closed === undefined) return undefined;
  const first = `fleet-mesh plan approve ${closed.id} --by WHO --evidence TEXT`;
  return {
    kind: 'refused',
    message: `step ${id} is blocked by the gate ${closed.id} (${closed.title}), which ${closed.owner} has to approve first: ${first}`,
  };
}

function unknown(kind: string, id: string, known: readonly string[]): Refusal {
  const all = known.join(', ') || 'none';
  return {
    kind: 'usage',
    message: `the plan has no ${kind} ${JSON.stringify(id)}; there are ${all}${didYouMean(id, known)}`,
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
