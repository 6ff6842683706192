import { follow } from '../../base/async/follow.ts';
import { sleep } from '../../base/async/sleep.ts';
import type { TunnelError } from '../../base/errors.ts';
import type { SuccessorConfig } from '../../config/config.ts';
import type { Junction } from '../../tunnels/forward/junction.ts';
import { observe, type Verdict } from '../../tunnels/probe/threshold.ts';

/** Of `hold`, so much is for running connections to end; the rest is for the switch itself. */
const QUIET_SHARE = 0.8;
/** When so many wait, nobody waits any longer: who is still running goes on over the tunnel. */
const MOST_HELD = 256;

/** How often the successor is asked at least while it proves itself, for each failure that it may have. */
const PROBES_PER_FAILURE = 4;
const LEAST_PAUSE_MS = 100;

/**
 * New connections are held from now on. Settles when those that are running have ended, or may not be waited for any
 * longer; rejects with the signal's reason.
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
  // Both end with the first of them: neither a timer nor a waiter is left.
  const over = () => enough.end();
  await Promise.all([
    junction.whenClear(enough.signal).then(over, () => {}),
    sleep(holdMs * QUIET_SHARE, enough.signal).then(over, () => {}),
  ]);
  signal.throwIfAborted();
}

const WELL: Verdict = { state: 'passing', consecutiveSuccesses: 0, consecutiveFailures: 0 };

/** How the successor does: by its probe, and by the clients whom it takes or not. `fall` failures in a row are too many. */
export class Trial {
  readonly #thresholds: { readonly fall: number; readonly rise: number };
  #probes = WELL;
  #clients = WELL;
  readonly #failed: (error: TunnelError) => void;

  /** @param failed called at each failure that is one too many */
  constructor({ probe: { fall, rise } }: Pick<SuccessorConfig, 'probe'>, failed: (error: TunnelError) => void) {
    this.#thresholds = { fall, rise };
    this.#failed = failed;
  }

  /** Whether the last probe passed. */
  get well(): boolean {
    return this.#probes.consecutiveFailures === 0;
  }

  probed(error: TunnelError | undefined): void {
    this.#probes = observe(this.#probes, error === undefined, this.#thresholds);
    if (error && this.#probes.state === 'failing') this.#failed(error);
  }

  /** A client who is taken proves that somebody listens, not that the service is well: counted apart. */
  taken(error: TunnelError | undefined): void {
    this.#clients = observe(this.#clients, error === undefined, this.#thresholds);
    if (error && this.#clients.state === 'failing') this.#failed(error);
  }
}

/**
 * Probes until `verify_for` is over and the last probe has passed. Rejects with the signal's reason, which is how a failed
 * trial ends it.
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
    if (leftMs <= 0 && trial.well) return;
    await sleep(leftMs > 0 ? Math.min(pauseMs, leftMs) : pauseMs, signal);
  }
}
