/** The verdict of the probes on a target, and the current run of equal results. */
export interface Verdict {
  readonly state: 'pending' | 'passing' | 'failing';
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
}

export interface Thresholds {
  /** Consecutive failures until `failing`. */
  readonly fall: number;
  /** Consecutive successes until a failing target is `passing` again. */
  readonly rise: number;
}

/** No verdict yet: at the start, and after each loss of the link. */
export const PENDING: Verdict = { state: 'pending', consecutiveSuccesses: 0, consecutiveFailures: 0 };

/**
 * The verdict after one more probe. The first success settles a pending verdict at once: a new tunnel must not wait for
 * `rise`. Failures change the verdict only after `fall` in a row.
 */
export function observe(verdict: Verdict, success: boolean, { fall, rise }: Thresholds): Verdict {
  if (success) {
    const consecutiveSuccesses = verdict.consecutiveSuccesses + 1;
    const passing = verdict.state !== 'failing' || consecutiveSuccesses >= rise;
    return { state: passing ? 'passing' : 'failing', consecutiveSuccesses, consecutiveFailures: 0 };
  }
  const consecutiveFailures = verdict.consecutiveFailures + 1;
  const state = consecutiveFailures >= fall ? 'failing' : verdict.state;
  return { state, consecutiveSuccesses: 0, consecutiveFailures };
}
