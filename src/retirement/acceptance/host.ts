import { formatSpan } from '../../base/text/span.ts';
import type { Period } from '../evidence/watch.ts';
import type { HostFacts, Mark } from './facts.ts';
import { type HostRecord, iso, type Reason, reasonOf } from './judgement.ts';

/**
 * A longer pause between looks leaves the state unknown, in milliseconds. The daemon looks every half minute, and a heartbeat
 * records that within another minute.
 */
export const LONGEST_UNCHECKED_MS = 120_000;

/** A mark and its end. */
interface Stretch extends Mark {
  readonly until: number;
}

/** Whether the looks cover the whole window and never found the host. Pure. */
export function judgeHost(name: string, facts: HostFacts, window: Period): { record: HostRecord; reasons: Reason[] } {
  const stretches = facts.marks.map((mark, index): Stretch => {
    return { ...mark, until: facts.marks[index + 1]?.at ?? Number.POSITIVE_INFINITY };
  });
  const within = stretches.filter(({ at, until }) => at <= window.until && until > window.from);
  const reasons = [...within.flatMap((stretch) => present(name, stretch, window)), ...unchecked(name, facts, window)];
  const checks = facts.checks.filter((at) => at >= window.from && at <= window.until);
  const seen = stretches.findLast(({ at, state }) => state === 'reachable' && at <= window.from);
  return {
    reasons,
    record: {
      name,
      addresses: unique(within.map(({ address }) => address)),
      unreachable_throughout: within.length > 0 && reasons.length === 0,
      checks: checks.length,
      longest_pause_ms: longestPause(checks),
      codes: unique(within.flatMap(({ code }) => code ?? [])),
      last_seen_before: seen ? iso(Math.min(seen.until, window.from)) : null,
    },
  };
}

function present(name: string, stretch: Stretch, window: Period): Reason[] {
  const { state, at, until, code, address } = stretch;
  if (state === 'unreachable') return [];
  const period = { from: Math.max(at, window.from), until: Math.min(until, window.until) };
  const why = stretch.reason ?? code ?? state;
  return state === 'reachable'
    ? [reasonOf('host_seen', `${name} was reachable at ${address}: ${why}`, period)]
    : [reasonOf('host_unknown', `cannot tell whether ${name} was reachable: ${why}`, period)];
}

function unchecked(name: string, { checks }: HostFacts, window: Period): Reason[] {
  const pause = (from: number, until: number) =>
    reasonOf('host_unchecked', `the daemon did not check ${name} for ${formatSpan(until - from)}`, {
      from: Math.max(from, window.from),
      until,
    });
  const before = checks.findLast((at) => at <= window.from);
  const inside = checks.filter((at) => at > window.from && at <= window.until);
  const [first] = inside;
  if (first === undefined) return [pause(window.from, window.until)];
  const found: Reason[] = [];
  // Only a look before the window proves its beginning.
  let last = before;
  for (const at of [...inside, window.until]) {
    if (last === undefined ? at > window.from : at - last > LONGEST_UNCHECKED_MS)
      found.push(pause(last ?? window.from, at));
    last = at;
  }
  return found;
}

function longestPause(checks: readonly number[]): number | null {
  let longest: number | null = null;
  for (const [index, at] of checks.entries()) {
    const before = checks[index - 1];
    if (before !== undefined) longest = Math.max(longest ?? 0, at - before);
  }
  return longest;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted();
}
