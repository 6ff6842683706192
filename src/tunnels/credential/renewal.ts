import { isDeepStrictEqual } from 'node:util';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import { type Tell, teller } from '../../telemetry/tell.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import type { ActorContext } from './actor-source.ts';
import { loadCertifiedKey, objectionTo } from './certified-key.ts';
import { certificateFields, endOf, type HeldCertificate, hold, isValid, now } from './held-certificate.ts';
import type { Issued, Issuer } from './issuer.ts';
import { dueAt, isDue, leftMs, type Moment, renewalRetryMs } from './renewal-policy.ts';

export interface RenewalDependencies {
  readonly issuer: Pick<Issuer, 'issue' | 'unwritten'>;
  readonly metrics: Pick<Metrics, 'certificateRenewals'>;
  readonly log: Logger;
  readonly note: TakeNote;
  /** Uniform in [0, 1). */
  random(): number;
}

/** The certificate of a run; it has passed the checks. */
export interface Renewed {
  readonly held: HeldCertificate;
  /** Whether the certificate differs from the one in use. */
  readonly changed: boolean;
  /** Saves the certificate for the next start. Never rejects: {@link Renewal.error} has the reason of a failure. */
  keep(): Promise<void>;
}

/** Runs an actor's `cert_command`, waits after failures, and keeps the result of the last run. */
export class Renewal {
  readonly #context: ActorContext;
  readonly #deps: RenewalDependencies;
  readonly #tell: Tell;
  #failures = 0;
  #error: TunnelError | undefined;
  #unsaved: TunnelError | undefined;
  #retry: { readonly since: Moment; readonly delayMs: number } | undefined;

  constructor(context: ActorContext, deps: RenewalDependencies) {
    this.#context = context;
    this.#deps = deps;
    this.#tell = teller(deps.log, deps.note);
  }

  /** Consecutive failures. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last run failed, or why its certificate is not saved yet. */
  get error(): TunnelError | undefined {
    return this.#error ?? (this.#deps.issuer.unwritten && this.#unsaved);
  }

  get retryAt(): Date | undefined {
    return this.#retry && dueAt(this.#retry.since, this.#retry.delayMs, now());
  }

  /** Time until the next try, in milliseconds; undefined without a failure. */
  get retryLeftMs(): number | undefined {
    return this.#retry && leftMs(this.#retry.since, this.#retry.delayMs, now());
  }

  /** Whether the wait after a failure is over. */
  get mayRun(): boolean {
    return !this.#retry || isDue(this.#retry.since, this.#retry.delayMs, now());
  }

  /**
   * Runs the command once and returns the certificate, or the reason of the failure. Undefined: a reload during the run
   * made the result useless. Never rejects. The caller waits for one run before the next.
   *
   * @param inUse the certificate in use when the run ends, expired or not
   */
  async run(inUse: () => HeldCertificate | undefined): Promise<Renewed | TunnelError | undefined> {
    const context = this.#context;
    const actor = context.actor();
    try {
      const key = await loadCertifiedKey(actor, context.env);
      const issued = await this.#deps.issuer.issue(actor, key, context.signal);
      const wanted = context.actor();
      if (!isDeepStrictEqual(actor.key, wanted.key) || !wanted.certCommand) return undefined;
      const objection = objectionTo(issued.certificate, key, wanted);
      if (objection) throw objection;
      return this.#succeeded(wanted, issued, key, inUse()?.id);
    } catch (thrown) {
      const error = TunnelError.from(thrown);
      // A reload during the run replaced the command or the key: their error is no longer one of this actor.
      const { key, certCommand } = context.actor();
      const configured = isDeepStrictEqual([actor.key, actor.certCommand], [key, certCommand]);
      if (!context.signal.aborted && configured) this.#failed(error, inUse());
      return error;
    }
  }

  #succeeded(actor: ActorConfig, issued: Issued, key: PrivateKey, lastId: string | undefined): Renewed {
    const held = hold(issued.certificate, key, actor.renewAfter, this.#deps.random());
    const changed = held.id !== lastId;
    this.reset();
    this.#deps.metrics.certificateRenewals.inc({ actor: actor.name, result: changed ? 'ok' : 'unchanged' });
    this.#deps.log.info(
      { event: 'certificate.renewed', ...certificateFields(held), renew_in_ms: Math.round(held.renewAfterMs), changed },
      changed ? 'certificate obtained' : 'cert_command returned the same certificate',
    );
    const keep = () => issued.save().catch((error: unknown) => this.#notKept(TunnelError.from(error)));
    return { held, changed, keep };
  }

  #failed(error: TunnelError, last: HeldCertificate | undefined): void {
    const inUse = last && isValid(last) ? last : undefined;
    const isNew = this.#error?.message !== error.message;
    this.#error = error;
    this.#failures++;
    const lifeMs = inUse ? inUse.lifetime.validBeforeMs - Date.now() : 0;
    const delayMs = renewalRetryMs(this.#failures, lifeMs, this.#deps.random());
    this.#retry = { since: now(), delayMs };
    this.#deps.metrics.certificateRenewals.inc({ actor: this.#context.actor().name, result: 'failed' });
    const until = inUse ? `the current certificate expires at ${endOf(inUse)}` : 'no valid certificate is left';
    const fields = { failures: this.#failures, retry_in_ms: Math.round(delayMs), err: error };
    // Warn when the reason changes; log repeated failures at debug level.
    this.#tell(
      { event: 'certificate.renewal_failed', ...fields },
      `certificate renewal failed: ${error.message}; ${until}`,
      isNew ? 'warn' : 'debug',
    );
  }

  #notKept(error: TunnelError): void {
    this.#unsaved = error;
    this.#deps.log.warn(
      { event: 'certificate.not_kept', err: error },
      `certificate not saved yet, so a restart now needs a new one: ${error.message}`,
    );
  }

  /** Forgets earlier failures. */
  reset(): void {
    this.#failures = 0;
    this.#error = undefined;
    this.#unsaved = undefined;
    this.#retry = undefined;
  }
}
