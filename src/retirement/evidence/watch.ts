import type { TunnelHistory } from './history.ts';

/** A time, in milliseconds since the epoch. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

/**
 * Since when the tunnel has been watched without a break; undefined when it is not watched at `now`, which is some way
 * behind the last line at most.
 */
export function watchedSince({ spans }: TunnelHistory, now: number, slackMs: number): number | undefined {
  const last = spans.at(-1);
  if (!last || now - last.until > slackMs) return undefined;
  let since = last.from;
  for (const span of spans.toReversed()) {
    if (span.until < since) break;
    since = Math.min(since, span.from);
    if (span.begins) break;
  }
  return since;
}

/**
 * When the tunnel was watched and could not serve, within `window`. Oldest first. An outage of at most `toleranceMs` in which
 * the port was open throughout is left out: every client that came was held.
 */
export function outages({ spans }: TunnelHistory, window: Period, toleranceMs: number): Period[] {
  const merged: { from: number; until: number; listening: boolean }[] = [];
  for (const span of spans) {
    const [period] = span.serving ? [] : clip([span], window);
    if (!period) continue;
    const last = merged.at(-1);
    const { listening } = span;
    if (last?.until === period.from)
      merged[merged.length - 1] = { from: last.from, until: period.until, listening: last.listening && listening };
    else merged.push({ ...period, listening });
  }
  return merged
    .filter(({ from, until, listening }) => !listening || until - from > toleranceMs)
    .map(({ from, until }) => ({ from, until }));
}

/** When nobody watched, within `window`. */
export function gaps({ spans }: TunnelHistory, window: Period): Period[] {
  const found: Period[] = [];
  let watched = window.from;
  for (const { from, until } of clip(spans, window)) {
    if (from > watched) found.push({ from: watched, until: from });
    watched = Math.max(watched, until);
  }
  return watched < window.until ? [...found, { from: watched, until: window.until }] : found;
}

/**
 * The share of `window` in which clients were served, from 0 to 1, counted from when the tunnel was first known. What
 * nobody watched counts against it: the daemon's absence is the clients' outage. What was `unverified` is left out.
 * Undefined where nobody watched at all.
 */
export function availability(history: TunnelHistory, window: Period): number | undefined {
  const [first] = history.spans;
  if (!first || first.from >= window.until) return undefined;
  const counted = { from: Math.max(first.from, window.from), until: window.until };
  let watched = 0;
  let serving = 0;
  let unverified = 0;
  let reached = counted.from;
  // One pass without copies: a snapshot asks for every tunnel and window. No time counts twice: spans overlap where a clock
  // was put back, and where a second daemon had waited for the log of the first.
  for (const span of history.spans) {
    const ms = Math.min(span.until, counted.until) - Math.max(span.from, reached);
    if (ms <= 0) continue;
    reached = span.until;
    watched += ms;
    if (span.serving) serving += ms;
    if (span.state === 'unverified') unverified += ms;
  }
  const total = counted.until - counted.from - unverified;
  return watched > 0 && total > 0 ? serving / total : undefined;
}

export function duration(periods: readonly Period[]): number {
  return periods.reduce((sum, { from, until }) => sum + until - from, 0);
}

function clip(spans: readonly Period[], window: Period): Period[] {
  return spans
    .map(({ from, until }) => ({ from: Math.max(from, window.from), until: Math.min(until, window.until) }))
    .filter(({ from, until }) => until > from);
}
