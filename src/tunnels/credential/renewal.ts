import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import { endOf, type HeldCertificate, now } from './held-certificate.ts';
import { isDue, type Moment, renewalRetryMs } from './renewal-policy.ts';

export interface RenewalDependencies {
  readonly metrics: Pick<Metrics, 'certificateRenewals'>;
  readonly log: Logger;
  readonly note: TakeNote;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The runs of an actor's `cert_command`: one at a time, spaced after failures, and what came of the last. */
export class Renewal {
  readonly #deps: RenewalDependencies;
  #running: Promise<void> | undefined;
  #failures = 0;
  #error: TunnelError | undefined;
  #retry: { readonly since: Moment; readonly delayMs: number } | undefined;

  constructor(deps: RenewalDependencies) {
    this.#deps = deps;
  }

  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** In a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last run failed, or what it could not do besides. */
  get error(): TunnelError | undefined {
    return this.#error;
  }

  get retryAt(): Date | undefined {
    return this.#retry && new Date(this.#retry.since.wallMs + this.#retry.delayMs);
  }

  /** Until it may be tried again, in milliseconds; undefined when nothing has failed. */
  get retryLeftMs(): number | undefined {
    return this.#retry && this.#retry.since.monotonicMs + this.#retry.delayMs - performance.now();
  }

  /** Whether it may be run: the wait after a failure is over. */
  get mayRun(): boolean {
    return !this.#retry || isDue(this.#retry.since, this.#retry.delayMs, now());
  }

  /** Runs `task`, or waits for the run that is under way. Never rejects. */
  run(task: () => Promise<void>): Promise<void> {
    this.#running ??= task().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** @param changed whether it brought another certificate than the last */
  succeeded(actor: ActorConfig, changed: boolean): void {
    this.reset();
    this.#deps.metrics.certificateRenewals.inc({ actor: actor.name, result: changed ? 'ok' : 'unchanged' });
  }

  /** @param inUse the certificate that works until there is another */
  failed(actor: ActorConfig, error: TunnelError, inUse: HeldCertificate | undefined): void {
    const news = this.#error?.message !== error.message;
    this.#error = error;
    this.#failures++;
    const leftMs = inUse ? inUse.lifetime.validBeforeMs - Date.now() : 0;
    const delayMs = renewalRetryMs(this.#failures, leftMs, this.#deps.random());
    this.#retry = { since: now(), delayMs };
    this.#deps.metrics.certificateRenewals.inc({ actor: actor.name, result: 'failed' });
    const until = inUse ? `the one in use ends at ${endOf(inUse)}` : 'there is none to log in with';
    const fields = { failures: this.#failures, retry_in_ms: Math.round(delayMs), err: error };
    if (news) this.#deps.note({ event: 'certificate.renewal_failed', code: error.code, reason: error.message });
    // One line when the reason changes; the retries that only repeat it are for debugging.
    this.#deps.log[news ? 'warn' : 'debug'](
      { event: 'certificate.renewal_failed', ...fields },
      `certificate not renewed: ${error.message}; ${until}`,
    );
  }

  /** It works, but a restart will not find it. */
  notKept(error: TunnelError): void {
    this.#error = error;
    this.#deps.log.warn(
      { event: 'certificate.not_kept', err: error },
      `a restart will need a new one: ${error.message}`,
    );
  }

  /** What failed so far says nothing about the next run. */
  reset(): void {
    this.#failures = 0;
    this.#error = undefined;
    this.#retry = undefined;
  }
}

/** Why an actor has no certificate before anything was tried. */
export function noneYet({ name }: ActorConfig): TunnelError {
  return new TunnelError('cert_command_failed', `there is no certificate for ${name} yet`);
}
