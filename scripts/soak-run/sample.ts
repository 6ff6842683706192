/** One look at the daemon and at the load since the look before. */
export interface Sample {
  /** Seconds since the begin of the run. */
  readonly at: number;
  readonly residentBytes: number;
  readonly fds: number;
  /** Requests since the sample before. */
  readonly served: number;
  readonly failed: number;
  /** Of the served requests, in milliseconds; NaN without one. */
  readonly medianMs: number;
  readonly p99Ms: number;
  /** Entries of the evidence, and whether its chain is whole. */
  readonly entries: number;
  readonly chain: 'whole' | 'broken';
}

/** A fault that the run has made. */
export interface Strike {
  readonly at: number;
  readonly name: string;
}

/** The value below which this share of the values lies; NaN for none. Pure. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
