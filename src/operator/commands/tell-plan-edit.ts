import type { ConfigEnvironment } from '../../config/paths.ts';
import type { PlanEntry } from '../../retirement/plan/record.ts';
import { CommandRefused, ControlUnavailable, command } from '../control/client.ts';
import { recordedResult } from '../control/protocol.ts';
import { account } from './account.ts';
import { findSocket } from './find-socket.ts';

/** Whether the evidence holds a record. */
export type InEvidence =
  | { readonly recorded: true; readonly seq: number }
  | { readonly recorded: false; readonly reason: string };

interface Edited {
  /** Path of the tunnel YAML, which may name the control socket. */
  readonly config: string;
  readonly entry: PlanEntry;
  readonly sha256Before: string;
  readonly sha256After: string;
}

/**
 * Tells the running daemon of an edit of the plan: the daemon is the one writer of the evidence. Never fails: without a daemon
 * the plan file alone has the edit, and the next start records the SHA-256 of the file.
 */
export async function tellPlanEdit(
  { config, entry, sha256Before, sha256After }: Edited,
  env: ConfigEnvironment,
): Promise<InEvidence> {
  const found = await findSocket({ config }, env);
  if ('problem' in found) return { recorded: false, reason: found.problem };
  const subject = entry.kind === 'approve' ? { id: entry.gate, by: entry.by } : { id: entry.step, by: null };
  try {
    const { seq } = await command(
      found.path,
      {
        command: 'plan_edited',
        kind: entry.kind,
        ...subject,
        evidence: entry.evidence,
        user: account(process.env),
        sha256_before: sha256Before,
        sha256_after: sha256After,
      },
      recordedResult,
      new AbortController().signal,
    );
    return { recorded: true, seq };
  } catch (error) {
    if (error instanceof CommandRefused || error instanceof ControlUnavailable)
      return { recorded: false, reason: error.message };
    throw error;
  }
}
