import { z } from 'zod';
import { asOf } from './as-of.ts';
import type { Plan } from './plan.ts';
import { exceptionState } from './policy/exception-state.ts';
import { blockingOf, closedGatesOnTheWay, isWaveComplete, nextSteps, openRequirements } from './progress.ts';

/** The plan with what follows from it: `GET /plan` and `fleet-mesh plan --json`. Its shape is public: changes are additive. */
const text = z.string();
const strings = z.array(text);
const numbers = z.array(z.int());
const completion = z.strictObject({ at: text, evidence: text });

const stepView = z.strictObject({
  id: text,
  action: text,
  done_when: text.nullable(),
  /** `blocked`: something of `blocked_by` has to happen first. */
  state: z.enum(['done', 'ready', 'blocked']),
  done: completion.nullable(),
  blocked_by: z.strictObject({
    waves: numbers,
    steps: strings,
    gates: strings,
    /** Closed gates on the steps before it. */
    gates_before: strings,
  }),
  /** Tunnels of this node that the step retires. */
  tunnels: strings,
});
export type StepView = z.infer<typeof stepView>;

const waveView = z.strictObject({
  id: z.int(),
  title: text,
  goal: text.nullable(),
  workplans: strings,
  note: text.nullable(),
  requires: numbers,
  complete: z.boolean(),
  /** Waves of `requires` that are not complete. */
  blocked_by: numbers,
  steps: z.array(stepView),
});
export type WaveView = z.infer<typeof waveView>;

const gateView = z.strictObject({
  id: text,
  title: text,
  owner: text,
  workplan: text.nullable(),
  blocks: strings,
  approved: z.strictObject({ by: text, at: text, evidence: text }).nullable(),
});
export type GateView = z.infer<typeof gateView>;

const workloadView = z.strictObject({
  id: z.int(),
  name: text,
  kind: text,
  current: text,
  target: text.nullable(),
  method: text.nullable(),
  owners: strings,
  wave: z.union([z.int(), text]).nullable(),
  status: text,
});

const exceptionView = z.strictObject({
  id: text,
  title: text.nullable(),
  covers: z.strictObject({ actor: text.nullable(), tunnels: strings, workloads: numbers }),
  reason: text,
  rollback: text,
  approval: text,
  state: z.enum(['live', 'expired']),
  /** What ends it, or what has ended it. */
  until: text,
  /** Only where the plan gives a date. */
  expires_at: z.iso.datetime().nullable(),
});
export type ExceptionView = z.infer<typeof exceptionView>;

export const planView = z.strictObject({
  schema: z.literal(1),
  path: text,
  sha256: text,
  frozen: z.array(z.strictObject({ host: text, since: text, policy: text })),
  /** The steps that could be done now, but for a human's approval. */
  next: strings,
  waves: z.array(waveView),
  gates: z.array(gateView),
  workloads: z.array(workloadView),
  exceptions: z.array(exceptionView),
});
export type PlanView = z.infer<typeof planView>;

/** A tunnel, as far as the plan has to do with it. */
export interface DrainingTunnel {
  readonly name: string;
  readonly drain?: { readonly step: string } | undefined;
}

/** What follows from a plan for a node with these tunnels. Pure. */
export function viewPlan(written: Plan, tunnels: Iterable<DrainingTunnel>, now: Date): PlanView {
  const plan = asOf(written, now);
  const hanging = [...tunnels];
  return {
    schema: 1,
    path: plan.path,
    sha256: plan.sha256,
    frozen: Object.entries(plan.frozen).map(([host, { since, policy }]) => ({ host, since, policy })),
    next: nextSteps(plan).map(({ step }) => step.id),
    waves: plan.waves.map((wave) => ({
      id: wave.id,
      title: wave.title,
      goal: wave.goal ?? null,
      workplans: wave.workplans ?? [],
      note: wave.note ?? null,
      requires: wave.requires,
      complete: isWaveComplete(plan, wave.id),
      blocked_by: openRequirements(plan, wave).map(({ id }) => id),
      steps: wave.steps.map((step): StepView => {
        const { waves, steps, gates } = blockingOf(plan, { wave, step });
        const before = closedGatesOnTheWay(plan, { wave, step }).filter((gate) => !gates.includes(gate));
        const free = [waves, steps, gates, before].every((open) => open.length === 0);
        return {
          id: step.id,
          action: step.action,
          done_when: step.done_when ?? null,
          state: step.done !== undefined ? 'done' : free ? 'ready' : 'blocked',
          done: step.done ?? null,
          blocked_by: {
            waves: waves.map(({ id }) => id),
            steps: steps.map(({ id }) => id),
            gates: gates.map(({ id }) => id),
            gates_before: before.map(({ id }) => id),
          },
          tunnels: hanging.filter(({ drain }) => drain?.step === step.id).map(({ name }) => name),
        };
      }),
    })),
    gates: plan.gates.map(({ workplan, approved, ...gate }) => ({
      ...gate,
      workplan: workplan ?? null,
      approved: approved ?? null,
    })),
    workloads: plan.workloads.map(({ target, method, wave, ...workload }) => ({
      ...workload,
      target: target ?? null,
      method: method ?? null,
      wave: wave ?? null,
    })),
    exceptions: plan.exceptions.map((exception) => viewException(plan, exception, now)),
  };
}

function viewException(plan: Plan, exception: Plan['exceptions'][number], now: Date): ExceptionView {
  const { id, title, covers, reason, rollback, approval } = exception;
  const state = exceptionState(plan, exception, now);
  return {
    id,
    title: title ?? null,
    covers: { actor: covers.actor ?? null, tunnels: covers.tunnels ?? [], workloads: covers.workloads ?? [] },
    reason,
    rollback,
    approval,
    state: state.kind,
    until: state.kind === 'live' ? state.until : state.because,
    expires_at: state.kind === 'live' ? (state.expiresAt?.toISOString() ?? null) : null,
  };
}
