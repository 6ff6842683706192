import { isDeepStrictEqual } from 'node:util';
import { DeadlineTimer } from '../../base/async/deadline-timer.ts';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { settledWithin } from '../../base/async/settled-within.ts';
import { isSessionLoss, TunnelError } from '../../base/errors.ts';
import type { Address } from '../../base/net/address.ts';
import type { ProbeConfig } from '../../config/config.ts';
import type { ProbeStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { runCheck, unanswered } from './check.ts';
import type { ProbePace } from './pace.ts';
import { observe, PENDING, type Verdict } from './threshold.ts';
import type { Validity } from './tls.ts';

export interface ProberOptions {
  readonly config: ProbeConfig;
  readonly target: Address;
}

/** The result of one probe that counts. The state changed if `state` differs from `previous`. */
export interface ProbeResult {
  readonly state: Verdict['state'];
  readonly previous: Verdict['state'];
  /** Undefined: the probe succeeded. */
  readonly error: TunnelError | undefined;
}

export interface ProberDependencies {
  readonly source: ChannelSource;
  /** Shared with the probes of other tunnels. Undefined: each probe begins when it is due. */
  readonly pace?: ProbePace | undefined;
  /** Called after each probe that counts: at the first failure the link can check its session. */
  onResult(result: ProbeResult): void;
  /** The duration of each probe that counts, in seconds. */
  observeSeconds(seconds: number): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The pause after a probe that a lost session broke, in milliseconds: the next session may be up already. */
const SOON_MS = 1_000;
/** A server that has answered nothing for so long may be one that answers no keepalive, so the probe goes on; in milliseconds. */
const STARTING_MS = 300;

/** Every probe has its own timeout. A probe this late has hung, and its data path too. In milliseconds. */
const STUCK_MS = 30_000;

/** `ms` ±10 %, so that the probes of many tunnels do not run together. `random` is in [0, 1). */
export function jittered(ms: number, random: number): number {
  return ms * (0.9 + 0.2 * random);
}

/** The reason why a tunnel's data path seems to hang, from the delay of its probe; undefined while probes end in time. */
export function stuckProbe(tunnel: string, overdueMs: number): string | undefined {
  if (overdueMs < STUCK_MS) return undefined;
  return `the probe of tunnel ${tunnel} hangs: its timeout passed ${Math.round(overdueMs / 1_000)} s ago`;
}

/** Probes one tunnel's target at intervals while its link is up, and holds the verdict. */
export class Prober {
  #options: ProberOptions;
  readonly #dependencies: ProberDependencies;
  #verdict: Verdict = PENDING;
  #last: { readonly at: Date; readonly latencyMs: number | null; readonly error: TunnelError | null } | undefined;
  #validity: Validity | undefined;
  #soon = false;
  #run: AbortController | undefined;
  /** The deadline of the current probe, as of performance.now(). */
  #due: number | undefined;
  #repeating: Repeating | undefined;

  constructor(options: ProberOptions, dependencies: ProberDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Probes until the signal aborts; settles when the last probe ends. Call this once. */
  run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#abandon(signal.reason), { once: true });
    const { source, pace } = this.#dependencies;
    this.#repeating = repeat(
      () => this.#probe(),
      () => this.#pauseMs(),
      signal,
      pace?.after,
    );
    if (source.ready) this.runNow();
    return this.#repeating.done;
  }

  /** Call this when the link comes up: the verdict must not wait for the next interval. */
  runNow(): void {
    this.#repeating?.runNow();
  }

  /** Call this when the link has no session left: the verdict on the target is no longer valid. */
  linkLost(): void {
    this.#forget();
  }

  /** Applies new settings at once and touches no client. A new check or target starts as `pending`. */
  reconfigure(config: ProbeConfig, target: Address): void {
    const before = this.#options;
    this.#options = { config, target };
    const same = isDeepStrictEqual([before.config.check, before.target], [config.check, target]);
    if (!same) {
      this.#forget();
      this.#validity = undefined;
    }
    this.runNow();
  }

  /** The error of the last probe that counts, while the verdict is valid. */
  get lastError(): TunnelError | undefined {
    return this.#last?.error ?? undefined;
  }

  /** The certificate that the probe last saw at its target; undefined without TLS. */
  get validity(): Validity | undefined {
    return this.#validity;
  }

  /** How long the current probe is past its deadline, in milliseconds; 0 when no probe is late. */
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
    this.#abandon(new Error('the verdict is no longer needed'));
  }

  /** The result of the current probe will not count. */
  #abandon(reason: unknown): void {
    this.#run?.abort(reason);
    this.#run = undefined;
  }

  #pauseMs(): number {
    const { everyMs } = this.#options.config;
    const pauseMs = this.#soon ? Math.min(SOON_MS, everyMs) : everyMs;
    this.#soon = false;
    return jittered(pauseMs, this.#dependencies.random());
  }

  async #probe(): Promise<void> {
    const { source, pace } = this.#dependencies;
    if (!source.ready) return;
    const run = new AbortController();
    this.#run = run;
    await (pace ? pace.turn(() => this.#check(run)) : this.#check(run));
  }

  async #check(run: AbortController): Promise<void> {
    if (this.#run !== run) return;
    const { source } = this.#dependencies;
    const { config, target } = this.#options;
    let startedAt = performance.now();
    this.#due = startedAt + config.timeoutMs;
    const { signal } = run;
    // One signal for both ends of a probe: each further one would cost as much as the check of a port.
    const deadline = new DeadlineTimer(config.timeoutMs, () => run.abort(unanswered(config.check, config.timeoutMs)));
    let error: TunnelError | undefined;
    try {
      // The server is still starting the session: this time says nothing about the target.
      const answering = source.whenAnswering?.(signal);
      if (answering) await settledWithin(answering, STARTING_MS);
      signal.throwIfAborted();
      startedAt = performance.now();
      await runCheck(config.check, source, target, signal, (validity) => {
        if (!signal.aborted) this.#validity = validity;
      });
    } catch (thrown) {
      error = TunnelError.from(thrown);
    } finally {
      deadline.end();
    }
    this.#due = undefined;
    // Stopped, or the target changed: the result is not a verdict.
    if (this.#run !== run) return;
    this.#run = undefined;
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
