import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '../../base/async/settled-within.ts';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { ActorContext, ActorSource } from './actor-source.ts';
import { loadCertifiedKey, objectionTo } from './certified-key.ts';
import { certificateFields, type HeldCertificate, hold, isAlive, now, offerCertificate } from './held-certificate.ts';
import type { Issuer } from './issuer.ts';
import { inTime } from './key-offer.ts';
import type { NeedRecord } from './need-record.ts';
import type { Need, Offer } from './offer.ts';
import type { PlainKeySource } from './plain-key.ts';
import { rejectedError } from './rejected-hint.ts';
import { Renewal, type RenewalDependencies } from './renewal.ts';
import { endsWithin, isDue } from './renewal-policy.ts';

export interface CertificateDependencies extends RenewalDependencies {
  readonly issuer: Issuer;
  /** Records when the fallback was needed. */
  readonly record: NeedRecord;
}

/** A certificate that a server rejects is renewed early, but no more often than this. */
const REFUSED_MS = 600_000;

/** Keeps a working certificate until a new one works. Without a certificate, offers the fallback. */
export class CertificateSource implements ActorSource {
  readonly #context: ActorContext;
  readonly #deps: CertificateDependencies;
  readonly #fallback: PlainKeySource;
  readonly #renewal: Renewal;
  #held: HeldCertificate | undefined;
  #renewing: Promise<TunnelError | undefined> | undefined;
  /** A reload changed a setting that only a new certificate can meet. */
  #overdue = false;
  #refusedAt: number | undefined;
  #loggedExpired: string | undefined;
  #kept: Promise<void> | undefined;

  /** @param fallback offers the key of the actor's `fallback` */
  constructor(context: ActorContext, fallback: PlainKeySource, deps: CertificateDependencies) {
    this.#context = context;
    this.#fallback = fallback;
    this.#deps = deps;
    this.#renewal = new Renewal(context, deps);
  }

  /** The last certificate, expired or not. */
  get held(): HeldCertificate | undefined {
    return this.#held;
  }

  /** The renewal as `/status` shows it. */
  get renewal(): Pick<Renewal, 'failures' | 'error' | 'retryAt'> & { readonly running: Promise<unknown> | undefined } {
    const { failures, error, retryAt } = this.#renewal;
    return { running: this.#renewing, failures, error, retryAt };
  }

  get dueMs(): number | undefined {
    const held = this.#held;
    // A planned retry comes first: the planned renewal is already in the past.
    return this.#renewal.retryLeftMs ?? (held && held.received.monotonicMs + held.renewAfterMs - performance.now());
  }

  async current(need: Need): Promise<Offer> {
    const { fallback } = this.#context.actor();
    await this.#beReady(need);
    const held = this.#alive;
    const refused = held !== undefined && need.refused.includes(held.id);
    if (held && !(refused && fallback && !need.serving))
      return offerCertificate(held, this.#context.actor(), this.#context.version());
    const why = refused ? rejectedError(held.certificate) : (this.#renewal.error ?? noneYet(this.#context.actor()));
    if (!fallback) throw why;
    const offer = await this.#fallback.asFallback(fallback, why);
    this.#deps.record.needed(new Date());
    return offer;
  }

  async lookAfter(keyChanged: boolean): Promise<void> {
    await this.#loadKept();
    this.#logExpiry();
    const held = this.#held;
    const due = !held || keyChanged || this.#overdue || isDue(held.received, held.renewAfterMs, now());
    if (due && (this.#renewal.mayRun || keyChanged)) await this.#renew();
  }

  async refresh(): Promise<void> {
    await this.#loadKept();
    const error = await this.#renew();
    if (error) throw error;
  }

  /** Applies a reload. A certificate that meets the new settings stays in use until a new one works. */
  reconfigure(before: ActorConfig, actor: ActorConfig): void {
    this.#renewal.reset();
    if (!actor.certCommand) {
      this.#held = undefined;
      return;
    }
    if (actor.fallback) void this.#deps.record.begin();
    const fallbackInUse = this.#fallback.last?.standIn && !this.#alive;
    if (fallbackInUse && !isDeepStrictEqual(before.fallback, actor.fallback)) this.#context.supersede();
    const held = this.#held;
    if (held && (!isDeepStrictEqual(before.key, actor.key) || objectionTo(held.certificate, held.key, actor)))
      this.#held = undefined;
    else if (held && before.renewAfter !== actor.renewAfter)
      this.#held = hold(held.certificate, held.key, actor.renewAfter, this.#deps.random());
    this.#overdue = !this.#held || !isDeepStrictEqual(before.certCommand, actor.certCommand);
  }

  /** Settles when no run is left. Call this after the signal of the context has aborted. */
  async stopped(): Promise<void> {
    await this.#renewing;
    await this.#deps.record.flush();
  }

  get #alive(): HeldCertificate | undefined {
    return this.#held && isAlive(this.#held) ? this.#held : undefined;
  }

  /** Renews first if the login needs a renewal. Never rejects. */
  async #beReady(need: Need): Promise<void> {
    await this.#loadKept();
    const held = this.#alive;
    if (held && need.refused.includes(held.id)) {
      const { monotonicMs } = now();
      if (this.#refusedAt !== undefined && monotonicMs - this.#refusedAt < REFUSED_MS) return;
      this.#refusedAt = monotonicMs;
      await this.#renew();
      return;
    }
    if (held && !endsWithin(held.lifetime, held.lifeMs, Date.now(), need.attemptMs)) return;
    if (!this.#renewing && !this.#renewal.mayRun) return;
    const renewed = this.#renew();
    // A command that hangs must not use up the certificate: wait for half of its remaining life.
    if (held) await settledWithin(renewed, (held.lifetime.validBeforeMs - Date.now()) / 2);
    else if (!this.#context.actor().fallback || this.#renewal.failures === 0) await renewed;
  }

  /** One run at a time; callers during the run share its result. Never rejects: returns why no new certificate came. */
  #renew(): Promise<TunnelError | undefined> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<TunnelError | undefined> {
    this.#overdue = false;
    const renewed = await this.#renewal.run(() => this.#held);
    if (!renewed || renewed instanceof TunnelError) return renewed;
    this.#held = renewed.held;
    if (renewed.changed) this.#context.supersede();
    await renewed.keep();
    return undefined;
  }

  #logExpiry(): void {
    const held = this.#held;
    if (!held || isAlive(held) || this.#loggedExpired === held.id) return;
    this.#loggedExpired = held.id;
    const { error } = this.#renewal;
    const why = error ? `: ${error.message}` : '';
    this.#deps.log.error({ event: 'certificate.expired', ...certificateFields(held) }, `certificate expired${why}`);
  }

  /** Loads, once, the certificate that an earlier run saved, if it is still valid. */
  #loadKept(): Promise<void> {
    this.#kept ??= this.#loadOnce();
    return this.#kept;
  }

  async #loadOnce(): Promise<void> {
    const context = this.#context;
    if (context.actor().fallback) await this.#deps.record.begin();
    try {
      const certificate = await inTime('the saved certificate', this.#deps.issuer.kept());
      if (!certificate) return;
      const key = await loadCertifiedKey(context.actor(), context.env);
      const objection = objectionTo(certificate, key, context.actor());
      if (objection) throw objection;
      const held = hold(certificate, key, context.actor().renewAfter, this.#deps.random());
      this.#held = held;
      this.#deps.log.info({ event: 'certificate.loaded', ...certificateFields(held) }, 'certificate loaded');
      context.supersede();
    } catch (error) {
      const { message } = TunnelError.from(error);
      this.#deps.log.info(
        { event: 'certificate.kept_unusable', err: error },
        `saved certificate not usable: ${message}`,
      );
    }
  }
}

/** The reason before the first run of the command. */
function noneYet({ name }: ActorConfig): TunnelError {
  return new TunnelError('cert_command_failed', `no certificate for ${name} yet`);
}
