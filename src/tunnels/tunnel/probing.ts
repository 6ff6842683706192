import type { TunnelError } from '../../base/errors.ts';
import type { ProbeStatus } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { ProbePace } from '../probe/pace.ts';
import { Prober, type ProberOptions, stuckProbe } from '../probe/prober.ts';
import type { Validity } from '../probe/tls.ts';

interface ProbingDependencies {
  /** Opens channels along the route of the clients. */
  readonly source: ChannelSource;
  readonly pace?: ProbePace | undefined;
  /** The duration of each probe that counts, in seconds. */
  observeSeconds(seconds: number): void;
  /** A probe that counts ended; undefined: the probe succeeded. */
  onProbed(error: TunnelError | undefined): void;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The probe of one tunnel: runs while the tunnel is in service, along the route of its clients. */
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

  /** Starts, changes or stops the probe. A running probe takes new settings without a restart. */
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

  /** Ends the probe for good; its last verdict stays readable. */
  stop(): void {
    this.#running?.stop.abort();
  }

  /** The route of the clients may have opened or closed. When open: probes at once. When closed: drops the verdict. */
  readinessChanged(): void {
    const { ready } = this.#deps.source;
    if (ready && !this.#wasReady) this.#running?.prober.runNow();
    if (!ready && this.#wasReady) this.#running?.prober.linkLost();
    this.#wasReady = ready;
  }

  /** The tunnel moved to another host: drops the verdict. */
  forget(): void {
    this.#running?.prober.linkLost();
  }

  /** Undefined without a probe. */
  get verdict(): { readonly state: ProbeStatus['state']; readonly lastError: TunnelError | undefined } | undefined {
    const prober = this.#running?.prober;
    return prober && { state: prober.status().state, lastError: prober.lastError };
  }

  status(): ProbeStatus | undefined {
    return this.#running?.prober.status();
  }

  get validity(): Validity | undefined {
    return this.#running?.prober.validity;
  }

  /** The reason why the data path seems to hang; undefined while probes end in time. `now` as of performance.now(). */
  stuck(now: number): string | undefined {
    return stuckProbe(this.#tunnel, this.#running?.prober.overdueMs(now) ?? 0);
  }

  #start(options: ProberOptions): void {
    const { source, pace, observeSeconds, onProbed, random } = this.#deps;
    const stop = new AbortController();
    const prober = new Prober(options, {
      source,
      pace,
      observeSeconds,
      random,
      onResult: ({ error }) => onProbed(error),
    });
    this.#wasReady = false;
    void prober.run(stop.signal);
    this.#running = { prober, stop };
  }
}
