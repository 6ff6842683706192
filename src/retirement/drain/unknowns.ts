import { formatSpan } from '../../base/text/span.ts';
import { formatDuration } from '../../config/duration.ts';
import type { UnknownCode } from '../../telemetry/status/finding-codes.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import { duration, outages, watchedSince } from '../evidence/watch.ts';
import type { VerdictFacts } from './facts.ts';
import { type Finding, finding } from './finding.ts';

/** What the evidence does not prove. */
export function unknowns(facts: VerdictFacts): Finding<UnknownCode>[] {
  return [...evidenceUnwritten(facts), ...observationGap(facts), ...downInWindow(facts)];
}

function evidenceUnwritten({ unwritten }: VerdictFacts) {
  if (!unwritten) return [];
  const { since, message } = unwritten;
  const clears = 'the events are on the disk, in an unbroken chain of this node';
  return finding('evidence_unwritten', message, clears, { since });
}

function observationGap({ history, now, quietForMs, slackMs }: VerdictFacts) {
  const since = watchedSince(history, now, slackMs);
  if (since !== undefined && now - since >= quietForMs) return [];
  const clears = `the tunnel has been watched for ${formatDuration(quietForMs)} without a break`;
  if (since === undefined) return finding('observation_gap', 'the daemon is not watching the tunnel', clears);
  return finding(
    'observation_gap',
    `the tunnel was watched for ${formatSpan(now - since)} without a break; ${formatDuration(quietForMs)} required`,
    clears,
    {
      since: new Date(since),
      clearsAt: new Date(since + quietForMs),
    },
  );
}

/** The last known state lasts through this millisecond: a port that has just been closed counts before the next look. */
function lasting({ spans, ...rest }: TunnelHistory, now: number): TunnelHistory {
  const last = spans.at(-1);
  return last
    ? { ...rest, spans: [...spans.slice(0, -1), { ...last, until: Math.max(last.until, now + 1) }] }
    : { spans, ...rest };
}

function downInWindow({ history, now, quietForMs, holdMs }: VerdictFacts) {
  const found = outages(lasting(history, now), { from: now - quietForMs, until: now + 1 }, holdMs);
  const last = found.at(-1);
  const [first] = found;
  if (!first || !last) return [];
  const times = found.length > 1 ? `${found.length} times` : 'once';
  return finding(
    'down_in_window',
    `the tunnel was down ${times} (${formatSpan(duration(found))} in total) during the quiet period; downtime does not count as quiet`,
    `the tunnel has been able to serve for ${formatDuration(quietForMs)}`,
    { since: new Date(first.from), clearsAt: new Date(last.until + quietForMs) },
  );
}
