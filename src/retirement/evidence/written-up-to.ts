import { ControlRefused } from '../../base/refusal.ts';

/** The state of the evidence on the disk. */
export interface WrittenEvidence {
  settled(): Promise<void>;
  readonly unwritten: { readonly message: string } | undefined;
  readonly head: { readonly seq: number } | undefined;
}

/** Waits for the disk, and returns the number of the last entry there. Rejects with {@link ControlRefused} if entries wait. */
export async function writtenUpTo(evidence: WrittenEvidence): Promise<number> {
  await evidence.settled();
  const { unwritten, head } = evidence;
  if (unwritten || !head)
    throw new ControlRefused('evidence_unwritten', unwritten?.message ?? 'the evidence is not open yet', {
      hint: 'The entry waits in memory, and is written as soon as the disk takes it.',
    });
  return head.seq;
}
