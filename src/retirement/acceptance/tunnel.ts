import { formatSpan } from '../../base/text/span.ts';
import type { Span, TunnelHistory } from '../evidence/history.ts';
import { duration, gaps, outages, type Period } from '../evidence/watch.ts';
import { iso, type Reason, reasonOf, type TunnelRecord } from './judgement.ts';

type Place = TunnelRecord | Pick<TunnelRecord, 'name' | 'way' | 'target'>;

/** Judges one production tunnel over the window: every outage counts, however short, and so does time without watching. Pure. */
export function judgeTunnel(
  { name, way, target }: Place,
  history: TunnelHistory,
  window: Period,
): { record: TunnelRecord; reasons: Reason[] } {
  const unserved = outages(history, window, 0);
  const unwatched = gaps(history, window);
  const doubtful = merged(history.spans.filter(({ state }) => state === 'unverified').flatMap(clipTo(window)));
  const lost = duration(merged([...unserved, ...unwatched, ...doubtful]));
  const share = 1 - lost / (window.until - window.from);
  const longest = unserved.toSorted((a, b) => b.until - b.from - (a.until - a.from))[0];
  return {
    reasons: [
      ...unserved.map((period) => reasonOf('outage', `${name} did not serve for ${lasting(period)}`, period)),
      ...unwatched.map((period) =>
        reasonOf('observation_gap', `the daemon did not watch ${name} for ${lasting(period)}`, period),
      ),
      ...doubtful.map((period) =>
        reasonOf('unverified', `the probe did not verify ${name} for ${lasting(period)}`, period),
      ),
    ],
    record: {
      name,
      availability: Math.floor(share * 1_000_000) / 1_000_000,
      outages: unserved.length,
      longest_outage: longest ? { ...periodOf(longest), ms: longest.until - longest.from } : null,
      gaps: unwatched.map(periodOf),
      way,
      target,
    },
  };
}

function periodOf({ from, until }: Period): { from: string; until: string } {
  return { from: iso(from), until: iso(until) };
}

function lasting({ from, until }: Period): string {
  const ms = until - from;
  return ms < 1_000 ? `${ms} ms` : formatSpan(ms);
}

function clipTo(window: Period): (span: Span) => Period[] {
  return (span) => {
    const [from, until] = [Math.max(span.from, window.from), Math.min(span.until, window.until)];
    return until > from ? [{ from, until }] : [];
  };
}

/** The same time without overlaps, oldest first. */
function merged(periods: readonly Period[]): Period[] {
  const found: Period[] = [];
  for (const { from, until } of periods.toSorted((a, b) => a.from - b.from)) {
    const last = found.at(-1);
    if (last && from <= last.until) found[found.length - 1] = { from: last.from, until: Math.max(last.until, until) };
    else found.push({ from, until });
  }
  return found;
}
