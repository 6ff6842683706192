import type { Advisory } from '../../telemetry/status/advisory.ts';
import type { EvidenceStatus, TunnelStatus } from '../../telemetry/status/status.ts';
import type { Head } from './chain.ts';
import type { TunnelHistory } from './history.ts';
import type { EvidenceCondition } from './recorder.ts';
import { availability } from './watch.ts';

const HOUR_MS = 3_600_000;
/** A share of less time says nothing: the first seconds of a tunnel are its first connection. */
const SHORTEST_MS = 60_000;
const WINDOWS = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 7 * 24 * HOUR_MS, '30d': 30 * 24 * HOUR_MS };

/** What the evidence knows about a tunnel, including earlier runs. */
export interface PastStatus {
  /** Null if no client ever came. */
  readonly last_activity_at: Date | null;
  /** Null for a tunnel that was never watched. */
  readonly observed_since: Date | null;
  readonly availability: NonNullable<TunnelStatus['availability']>;
}

/** @param now milliseconds since the epoch */
export function describePast(history: TunnelHistory, now: number): PastStatus {
  const { lastActivityAt, spans } = history;
  const since = spans[0]?.from;
  const isLong = since !== undefined && now - since >= SHORTEST_MS;
  const shares = Object.entries(WINDOWS).map(([name, ms]) => {
    const share = isLong ? availability(history, { from: now - ms, until: now }) : undefined;
    return [name, share === undefined ? null : Math.floor(share * 1_000_000) / 1_000_000];
  });
  return {
    last_activity_at: lastActivityAt === undefined ? null : new Date(lastActivityAt),
    observed_since: since === undefined ? null : new Date(since),
    availability: Object.fromEntries(shares),
  };
}

export function describeEvidence(condition: EvidenceCondition, head: Head | undefined): EvidenceStatus {
  const none = { since: null, error: null, waiting: 0 };
  const { kind } = condition;
  const trouble =
    kind === 'failing' ? { since: condition.since, error: condition.error.message, waiting: condition.waiting } : none;
  return { state: kind, ...trouble, head: head ? { seq: head.seq, hash: head.hash } : null };
}

/** The advisory while evidence cannot be written. Tunnels are not affected. */
export function evidenceAdvisories({ error }: EvidenceStatus): Advisory[] {
  if (error === null) return [];
  return [
    {
      code: 'evidence_unavailable',
      message: `cannot write evidence: ${error}; events wait in memory, and tunnels are not affected`,
      subject: 'evidence',
    },
  ];
}
