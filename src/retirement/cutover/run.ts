import { follow } from '../../base/async/follow.ts';
import { sleep } from '../../base/async/sleep.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { SuccessorConfig } from '../../config/config.ts';
import type { Junction } from '../../tunnels/forward/junction.ts';
import { observe, type Verdict } from '../../tunnels/probe/threshold.ts';

/** Share of `hold` in which open connections may end; the rest is for the switch. */
const QUIET_SHARE = 0.8;
/** When this many clients wait, the switch starts: open connections stay on the tunnel. */
const MOST_HELD = 256;

/** Least number of probes during `verify_for`, for each allowed failure. */
const PROBES_PER_FAILURE = 4;
const LEAST_PAUSE_MS = 100;

/**
 * Holds new connections. Settles when the open connections have ended or the wait is over; rejects with the signal's
 * reason.
 */
export async function quiesce(
  junction: Junction,
  { holdMs, mostHeld }: { readonly holdMs: number; readonly mostHeld: number },
  signal: AbortSignal,
): Promise<void> {
  const enough = follow(signal);
  const limit = Math.max(1, Math.min(MOST_HELD, mostHeld));
  junction.hold((held) => {
    if (held >= limit) enough.end();
  });
  // The first of the two ends the other: neither a timer nor a waiter is left.
  const over = () => enough.end();
  await Promise.all([
    junction.whenClear(enough.signal).then(over, () => {}),
    sleep(holdMs * QUIET_SHARE, enough.signal).then(over, () => {}),
  ]);
  signal.throwIfAborted();
}

const HEALTHY: Verdict = { state: 'passing', consecutiveSuccesses: 0, consecutiveFailures: 0 };

/** Judges the successor by its probe and by clients. It fails after `fall` consecutive failures of either. */
export class Trial {
  readonly #thresholds: { readonly fall: number; readonly rise: number };
  #probes = HEALTHY;
  #clients = HEALTHY;
  readonly #failed: (error: TunnelError) => void;

  /** @param failed called at each failure from the `fall`th consecutive one on */
  constructor({ probe: { fall, rise } }: Pick<SuccessorConfig, 'probe'>, failed: (error: TunnelError) => void) {
    this.#thresholds = { fall, rise };
    this.#failed = failed;
  }

  get lastProbePassed(): boolean {
    return this.#probes.consecutiveFailures === 0;
  }

  probed(error: TunnelError | undefined): void {
    this.#probes = observe(this.#probes, error === undefined, this.#thresholds);
    if (error && this.#probes.state === 'failing') this.#failed(error);
  }

  /** An accepted client proves a listener, not a healthy service: clients are counted apart from probes. */
  taken(error: TunnelError | undefined): void {
    this.#clients = observe(this.#clients, error === undefined, this.#thresholds);
    if (error && this.#clients.state === 'failing') this.#failed(error);
  }
}

/**
 * Probes until `verify_for` is over and the last probe has passed. A failed trial aborts the signal; rejects with its
 * reason.
 */
export async function verify(
  successor: SuccessorConfig,
  trial: Trial,
  probe: (signal: AbortSignal) => Promise<TunnelError | undefined>,
  signal: AbortSignal,
): Promise<void> {
  const { verifyForMs, probe: config } = successor;
  const pauseMs = Math.min(config.everyMs, Math.max(LEAST_PAUSE_MS, verifyForMs / (config.fall * PROBES_PER_FAILURE)));
  const until = performance.now() + verifyForMs;
  for (;;) {
    trial.probed(await probe(signal));
    signal.throwIfAborted();
    const leftMs = until - performance.now();
    if (leftMs <= 0 && trial.lastProbePassed) return;
    await sleep(leftMs > 0 ? Math.min(pauseMs, leftMs) : pauseMs, signal);
  }
}
