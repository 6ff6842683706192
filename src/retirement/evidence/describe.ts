import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { EvidenceStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import type { Head } from './chain.ts';
import type { TunnelHistory } from './history.ts';
import type { EvidenceCondition } from './recorder.ts';
import { availability } from './watch.ts';

const HOUR_MS = 3_600_000;
const WINDOWS = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 7 * 24 * HOUR_MS, '30d': 30 * 24 * HOUR_MS };

/** A tunnel with what is known of it beyond the present run. Undefined history: nothing is known. */
export function withHistory(tunnel: TunnelStatus, history: TunnelHistory | undefined, now: number): TunnelStatus {
  if (!history) return tunnel;
  const { usage } = tunnel;
  const usedAt = Math.max(Date.parse(usage.last_activity_at ?? '') || 0, history.lastActivityAt ?? 0);
  const last = usedAt === 0 ? null : new Date(usedAt).toISOString();
  const shares = Object.entries(WINDOWS).map(([name, ms]) => {
    const share = availability(history, { from: now - ms, until: now });
    return [name, share === undefined ? null : Math.floor(share * 1_000_000) / 1_000_000];
  });
  return {
    ...tunnel,
    usage: { ...usage, last_activity_at: last, quiet_since: usage.open + usage.held > 0 ? null : last },
    availability: Object.fromEntries(shares),
  };
}

export function describeEvidence(condition: EvidenceCondition, head: Head | undefined): EvidenceStatus {
  const none = { since: null, error: null, waiting: 0 };
  const { kind } = condition;
  const trouble =
    kind === 'failing'
      ? { since: condition.since.toISOString(), error: condition.error.message, waiting: condition.waiting }
      : none;
  return { state: kind, ...trouble, head: head ? { seq: head.seq, hash: head.hash } : null };
}

/** What an operator should know of it (SPEC section 6): a disk that refuses it hurts nobody yet. */
export function evidenceAdvisories({ error }: EvidenceStatus): Advisory[] {
  if (error === null) return [];
  return [
    {
      code: 'evidence_unavailable',
      message: `the evidence is not being written, what happens waits in memory, tunnels are not affected: ${error}`,
    },
  ];
}
