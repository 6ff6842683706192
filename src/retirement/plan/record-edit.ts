import { ControlRefused } from '../../base/refusal.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import { type WrittenEvidence, writtenUpTo } from '../evidence/written-up-to.ts';
import type { PlanWatch } from './watch.ts';

/** An approval or a completion that a person has just written into the plan file. */
export interface PlanEdit {
  readonly kind: 'approve' | 'done';
  /** The gate or the step. */
  readonly id: string;
  /** Who approved the gate; null for a step. */
  readonly by: string | null;
  readonly evidence: string;
  /** The account that ran the command. */
  readonly user: string;
  readonly sha256Before: string;
  readonly sha256After: string;
}

/** The entry of the evidence that holds the edit. */
export interface RecordedEdit {
  /** Number of the last entry on the disk: the edit is in it or before it. */
  readonly seq: number;
}

export interface RecordEditParts {
  /** Read again before this call. */
  readonly plan: Pick<PlanWatch, 'watched'>;
  readonly evidence: WrittenEvidence;
  readonly note: TakeNote;
}

/** Records an edit of the plan in force. Rejects with {@link ControlRefused} if the evidence cannot hold it now. */
export async function recordPlanEdit(edit: PlanEdit, { plan, evidence, note }: RecordEditParts): Promise<RecordedEdit> {
  const inForce = plan.watched?.plan?.sha256;
  if (inForce !== edit.sha256After)
    throw new ControlRefused('plan_not_in_force', 'the daemon does not use the edited plan', {
      hint: 'Compare `plan` in `fleet-mesh status --json` with the edited file.',
    });
  const { kind, id, by, evidence: proof, user, sha256Before, sha256After } = edit;
  const subject = kind === 'approve' ? { event: 'plan.approved', gate: id, by } : { event: 'plan.done', step: id };
  note({ ...subject, evidence: proof, user, sha256_before: sha256Before, sha256: sha256After });
  return { seq: await writtenUpTo(evidence) };
}
