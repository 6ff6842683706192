import { isDeepStrictEqual } from 'node:util';
import { withDeadline } from '../../base/async/deadline.ts';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { isSessionLoss, TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { ProbeConfig } from '../../config/config.ts';
import type { ProbeStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { runCheck, unanswered } from './check.ts';
import { observe, PENDING, type Verdict } from './threshold.ts';

export interface ProberOptions {
  readonly config: ProbeConfig;
  readonly target: Address;
}

/** One probe that counts. A change is where `state` differs from `previous`. */
export interface ProbeResult {
  readonly state: Verdict['state'];
  readonly previous: Verdict['state'];
  /** Undefined: the probe succeeded. */
  readonly error: TunnelError | undefined;
}

export interface ProberDependencies {
  readonly source: ChannelSource;
  /** Called after each probe that counts: at the first failure the link can check its session (SPEC section 3). */
  onResult(result: ProbeResult): void;
  /** The duration of each probe that counts, in seconds. */
  observeSeconds(seconds: number): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The pause after a probe that the loss of a session spoiled: the next session may be there already. */
const SOON_MS = 1_000;

/** Every probe is bounded in time by itself: one that is late by so much has hung, and what it went through with it. */
const STUCK_MS = 30_000;

/** `ms` ±10 %, so that the probes of many tunnels do not march in step. `random` is in [0, 1). */
export function jittered(ms: number, random: number): number {
  return ms * (0.9 + 0.2 * random);
}

/** Why the data path of a tunnel seems to have hung, by how late its probe is; undefined while it makes progress. */
export function stuckProbe(tunnel: string, overdueMs: number): string | undefined {
  if (overdueMs < STUCK_MS) return undefined;
  return `a probe of ${tunnel} should have ended ${Math.round(overdueMs / 1_000)} s ago`;
}

/** Probes one tunnel's target at intervals while its link is up, and holds the verdict. */
export class Prober {
  #options: ProberOptions;
  readonly #dependencies: ProberDependencies;
  #verdict: Verdict = PENDING;
  #last: { readonly at: Date; readonly latencyMs: number | null; readonly error: TunnelError | null } | undefined;
  #soon = false;
  #run: AbortController | undefined;
  /** When the probe under way has to be over, by performance.now(). */
  #due: number | undefined;
  #repeating: Repeating | undefined;

  constructor(options: ProberOptions, dependencies: ProberDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Probes until the signal aborts; settles when the last probe is over. To be called once. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#run?.abort(signal.reason), { once: true });
    this.#repeating = repeat(
      () => this.#probe(),
      () => this.#pauseMs(),
      signal,
    );
    if (this.#dependencies.source.ready) this.runNow();
    return this.#repeating.done;
  }

  /** To be called when the link comes up: the verdict should not wait for the next interval. */
  runNow(): void {
    this.#repeating?.runNow();
  }

  /** To be called when the link has no session left: what was known of the target no longer holds. */
  linkLost(): void {
    this.#forget();
  }

  /** Applies at once, without touching any client's connection. Another check or target starts from `pending`. */
  reconfigure(config: ProbeConfig, target: Address): void {
    const before = this.#options;
    this.#options = { config, target };
    const same = isDeepStrictEqual([before.config.check, before.target], [config.check, target]);
    if (!same) this.#forget();
    this.runNow();
  }

  /** Of the last probe that counts, as long as it still says something of the target. */
  get lastError(): TunnelError | undefined {
    return this.#last?.error ?? undefined;
  }

  /** How long ago the probe under way should have been over, in milliseconds; 0 when none is late. */
  overdueMs(now: number): number {
    return this.#due === undefined ? 0 : Math.max(0, now - this.#due);
  }

  status(): ProbeStatus {
    return {
      state: this.#verdict.state,
      last_at: this.#last?.at ?? null,
      latency_ms: this.#last?.latencyMs ?? null,
      consecutive_failures: this.#verdict.consecutiveFailures,
      last_error: this.#last?.error?.report() ?? null,
    };
  }

  #forget(): void {
    this.#verdict = PENDING;
    this.#last = undefined;
    this.#run?.abort(new Error('no longer of interest'));
  }

  #pauseMs(): number {
    const { everyMs } = this.#options.config;
    const pauseMs = this.#soon ? Math.min(SOON_MS, everyMs) : everyMs;
    this.#soon = false;
    return jittered(pauseMs, this.#dependencies.random());
  }

  async #probe(): Promise<void> {
    const { source } = this.#dependencies;
    if (!source.ready) return;
    const { config, target } = this.#options;
    const run = new AbortController();
    this.#run = run;
    const startedAt = performance.now();
    this.#due = startedAt + config.timeoutMs;
    const expired = () => unanswered(config.check, config.timeoutMs);
    const error = await withDeadline(config.timeoutMs, run.signal, expired, (signal) =>
      runCheck(config.check, source, target, signal),
    ).then(() => undefined, TunnelError.from);
    this.#run = undefined;
    this.#due = undefined;
    // Stopped, forgotten or about something else by now: whatever came of it is not a verdict.
    if (run.signal.aborted) return;
    if (error !== undefined && isSessionLoss(error)) {
      this.#soon = true;
      return;
    }
    const tookMs = performance.now() - startedAt;
    this.#dependencies.observeSeconds(tookMs / 1000);
    this.#conclude(error, tookMs);
  }

  #conclude(error: TunnelError | undefined, tookMs: number): void {
    const previous = this.#verdict.state;
    this.#verdict = observe(this.#verdict, error === undefined, this.#options.config);
    const latencyMs = error === undefined ? Math.round(tookMs * 10) / 10 : null;
    this.#last = { at: new Date(), latencyMs, error: error ?? null };
    this.#dependencies.onResult({ state: this.#verdict.state, previous, error });
  }
}
