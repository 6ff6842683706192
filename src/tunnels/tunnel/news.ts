import { type TunnelError, TurnedAway } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../base/net/address.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import { ClientTrouble } from './client-trouble.ts';

export interface TunnelNewsDependencies {
  readonly metrics: Pick<
    Metrics,
    'holdSeconds' | 'connectSeconds' | 'probeDurationSeconds' | 'remoteListenGapSeconds' | 'acceptErrors'
  >;
  readonly log: Logger;
  readonly note: TakeNote;
}

/** Reports one tunnel's connections to the log, the evidence and the metrics. Durations are in seconds. */
export class TunnelNews {
  readonly #labels: { readonly tunnel: string };
  readonly #deps: TunnelNewsDependencies;
  readonly #trouble: ClientTrouble;

  /** @param tunnel its name */
  constructor(tunnel: string, deps: TunnelNewsDependencies) {
    this.#labels = { tunnel };
    this.#deps = deps;
    this.#trouble = new ClientTrouble(deps.log);
  }

  /** A client used the tunnel. */
  used(at: Date): void {
    this.#deps.note({ event: 'tunnel.used', ...this.#labels }, at);
  }

  /** The listener, the target or the host is another one from now on. */
  changed(): void {
    this.#deps.note({ event: 'tunnel.changed', ...this.#labels });
  }

  /** A connection got its channel, this long after its accept. */
  opened(seconds: number): void {
    this.#deps.metrics.connectSeconds.observe(this.#labels, seconds);
  }

  /** A connection was held, for the link or by a cut-over. */
  held(seconds: number): void {
    this.#deps.metrics.holdSeconds.observe(this.#labels, seconds);
  }

  /** A connection was not served. */
  failed(error: TunnelError): void {
    this.#deps.log.debug({ event: 'connection.failed', err: error }, error.message);
    if (error instanceof TurnedAway) this.#trouble.turnedAway(error);
  }

  notAccepted(error: Error): void {
    this.#deps.metrics.acceptErrors.inc(this.#labels);
    this.#trouble.notAccepted(error);
  }

  /** A probe that counts ended. */
  probed(seconds: number): void {
    this.#deps.metrics.probeDurationSeconds.observe(this.#labels, seconds);
  }

  /** The far side listens; `gapSeconds`: how long it did not; undefined the first time. */
  listening(
    { host, listen }: { readonly host: string; readonly listen: Address },
    gapSeconds: number | undefined,
  ): void {
    if (gapSeconds !== undefined) this.#deps.metrics.remoteListenGapSeconds.observe(this.#labels, gapSeconds);
    const gap = gapSeconds === undefined ? '' : ` again, after a gap of ${gapSeconds.toFixed(3)} s`;
    this.#deps.log.info(
      { event: 'tunnel.listening', gap_seconds: gapSeconds },
      `${host} listens on ${formatAddress(listen)}${gap}`,
    );
  }

  /** The allowed destinations changed: logs each reason for a rejected client again. */
  forgetReasons(): void {
    this.#trouble.forgetReasons();
  }
}
