import type { LoadResult } from './load.ts';

/** One fault: performance.now() of its beginning, how long it lasted, and the time from its end to the recovery. */
export interface Struck {
  readonly name: string;
  readonly at: number;
  readonly lastedMs: number;
  readonly recoveredMs: number;
}

/** A session that the daemon lost, as of performance.now(). */
export interface Lost {
  readonly at: number;
  readonly what: string;
}

export interface ChaosResult {
  readonly seed: number;
  readonly seconds: number;
  readonly struck: readonly Struck[];
  /** performance.now() of each moment at which a fault ended connections. */
  readonly cuts: readonly number[];
  readonly load: LoadResult;
  /** Resources that the daemon holds in addition to its resources at rest, in words. */
  readonly leaks: readonly string[];
  readonly memoryGrownBytes: number;
  /** The failure that ended the run early. */
  readonly broken: string | undefined;
  readonly sessionsLost: readonly Lost[];
}

/** More growth is a leak: V8 collects some garbage only after a minute. */
const MEMORY_BOUND_BYTES = 130_000_000;

/** A connection ends this soon after the fault that ended it, in milliseconds. */
const CUT_WITHIN_MS = 5_000;

/**
 * The report, and whether the run passed. A request in flight at the moment of a cut may be lost with its session: SSH
 * cannot repeat the request, because the target may have received it. Such requests count as cut in flight. Any other
 * refused, reset or unanswered request is a failure: a session was up, or the request could wait for one. A silence below
 * the keepalive's cuts nothing, so a stream that ends in one is a failure too.
 */
export function report(result: ChaosResult): { readonly text: string; readonly passed: boolean } {
  const { load, struck, leaks, cuts, sessionsLost } = result;
  const inFlight = load.failures.filter(({ from, to }) =>
    cuts.some((at) => from <= at && at <= to && to - at <= CUT_WITHIN_MS),
  );
  const lost = load.streams.cut.filter((to) => !cuts.some((at) => at <= to && to - at <= CUT_WITHIN_MS));
  const failed = load.failures.filter((failure) => !inFlight.includes(failure));
  const grown = result.memoryGrownBytes / 1e6;
  const wrong = [
    ...(result.broken === undefined ? [] : [result.broken]),
    ...(failed.length > 0 ? [`${failed.length} requests failed`] : []),
    ...lost.map((at) => `a stream was lost that no fault had cut, ${before(struck, at)}`),
    ...load.streams.wrong.map((what) => `stream: ${what}`),
    ...leaks.map((what) => `leak: ${what}`),
    ...(result.memoryGrownBytes > MEMORY_BOUND_BYTES ? [`memory grew by ${grown.toFixed(0)} MB`] : []),
  ];
  const lines = [
    `chaos: seed ${result.seed}, ${result.seconds.toFixed(0)} s, ${struck.length} faults`,
    `requests: ${load.served} served, ${failed.length} failed, ${inFlight.length} cut in flight, slowest ${load.slowestMs.toFixed(0)} ms`,
    `streams: ${load.streams.whole} complete, ${load.streams.cut.length} cut with a reset, ${load.streams.wrong.length} wrong, ${lost.length} lost without a cause`,
    `leaks: ${leaks.length === 0 ? 'none' : leaks.join(', ')}; memory ${grown.toFixed(0)} MB more`,
    '',
    `${'fault'.padEnd(46)} count  recovery: median      max`,
    ...faultLines(struck),
    '',
    ...failed
      .slice(0, 10)
      .map(
        ({ why, from, to }) =>
          `failed: after ${(to - from).toFixed(0)} ms, ${why}; began ${before(struck, from)}, ended ${before(struck, to)}`,
      ),
    ...sessionsLost
      .filter(({ at }) => [...failed.map(({ to }) => to), ...lost].some((to) => Math.abs(to - at) <= CUT_WITHIN_MS))
      .map(({ at, what }) => `lost ${before(struck, at)}: ${what}`),
    wrong.length === 0 ? 'PASS' : `FAIL: ${wrong.join('; ')}`,
    '',
  ];
  return { text: lines.join('\n'), passed: wrong.length === 0 };
}

function faultLines(struck: readonly Struck[]): string[] {
  return [...new Set(struck.map(({ name }) => name))].sort().map((name) => {
    const times = struck.filter((each) => each.name === name).map(({ recoveredMs }) => recoveredMs);
    const sorted = times.sort((a, b) => a - b);
    const ms = (value: number | undefined) => `${(value ?? 0).toFixed(0)} ms`.padStart(8);
    return `${name.padEnd(46)} ${`${times.length}`.padStart(5)}          ${ms(sorted[Math.floor(sorted.length / 2)])} ${ms(sorted.at(-1))}`;
  });
}

function before(struck: readonly Struck[], at: number): string {
  const last = struck.filter((each) => each.at < at).at(-1);
  if (last === undefined) return 'before any fault';
  return `${(at - last.at).toFixed(0)} ms after the begin of "${last.name}" (${(last.lastedMs / 1000).toFixed(1)} s)`;
}
