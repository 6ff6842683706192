import type { TunnelError } from '../../base/errors.ts';
import type { ProbeStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import { Prober, type ProberOptions, stuckProbe } from '../probe/prober.ts';

interface ProbingDependencies {
  /** The way of the clients. */
  readonly source: ChannelSource;
  /** The duration of each probe that counts, in seconds. */
  observeSeconds(seconds: number): void;
  /** A probe that counts is over; undefined: the probe succeeded. */
  onProbed(error: TunnelError | undefined): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The probe of one tunnel: starts and stops with the tunnel's service, and follows the way of the clients. */
export class Probing {
  readonly #tunnel: string;
  readonly #deps: ProbingDependencies;
  #running: { readonly prober: Prober; readonly stop: AbortController } | undefined;
  #wasReady = false;

  /** @param tunnel its name */
  constructor(tunnel: string, deps: ProbingDependencies) {
    this.#tunnel = tunnel;
    this.#deps = deps;
  }

  /** Probes this from now on, or nothing. A probe that runs already takes new settings without a new start. */
  set(options: ProberOptions | undefined): void {
    if (!options) {
      this.stop();
      this.#running = undefined;
    } else if (this.#running) {
      this.#running.prober.reconfigure(options.config, options.target);
    } else {
      this.#start(options);
    }
  }

  /** Ends the probe for good; its last verdict can still be read. */
  stop(): void {
    this.#running?.stop.abort();
  }

  /** The way of the clients may have opened or closed: a probe runs at once, or the verdict no longer holds. */
  readinessChanged(): void {
    const { ready } = this.#deps.source;
    if (ready && !this.#wasReady) this.#running?.prober.runNow();
    if (!ready && this.#wasReady) this.#running?.prober.linkLost();
    this.#wasReady = ready;
  }

  /** The target is reached over another host from now on: the verdict no longer holds. */
  forget(): void {
    this.#running?.prober.linkLost();
  }

  /** Undefined where nothing is probed. */
  get verdict(): { readonly state: ProbeStatus['state']; readonly lastError: TunnelError | undefined } | undefined {
    const prober = this.#running?.prober;
    return prober && { state: prober.status().state, lastError: prober.lastError };
  }

  status(): ProbeStatus | undefined {
    return this.#running?.prober.status();
  }

  /** Why the data path seems to have hung; undefined while it makes progress. `now` as of performance.now(). */
  stuck(now: number): string | undefined {
    return stuckProbe(this.#tunnel, this.#running?.prober.overdueMs(now) ?? 0);
  }

  #start(options: ProberOptions): void {
    const { source, observeSeconds, onProbed, random } = this.#deps;
    const stop = new AbortController();
    const prober = new Prober(options, { source, observeSeconds, random, onResult: ({ error }) => onProbed(error) });
    this.#wasReady = false;
    void prober.run(stop.signal);
    this.#running = { prober, stop };
  }
}
