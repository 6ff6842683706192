import { isDeepStrictEqual } from 'node:util';
import { settledWithin } from '../../base/async/settled-within.ts';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { ActorContext, ActorSource } from './actor-source.ts';
import { loadCertifiedKey, misfitOf } from './certified-key.ts';
import {
  certificateFields,
  faultOf,
  type HeldCertificate,
  hold,
  isValid,
  now,
  offerCertificate,
} from './held-certificate.ts';
import type { Issuer } from './issuer.ts';
import { inTime } from './key-offer.ts';
import type { NeedRecord } from './need-record.ts';
import type { Need, Offer } from './offer.ts';
import type { PlainKeySource } from './plain-key.ts';
import { rejectedError } from './rejected-hint.ts';
import { Renewal, type RenewalDependencies } from './renewal.ts';
import { endsWithin, isDue, leftMs, type Moment, wasSet } from './renewal-policy.ts';

export interface CertificateDependencies extends RenewalDependencies {
  readonly issuer: Issuer;
  /** Records when the fallback was needed. */
  readonly record: NeedRecord;
}

/**
 * A certificate that a server rejects is renewed early. The CA may have the fault, and may be right soon; but a server that
 * rejects for ever must not keep the CA busy. So the pause between two such renewals doubles, in milliseconds.
 */
const REFUSED_MS = 60_000;
const MOST_REFUSED_MS = 600_000;

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
  #refusedAt: Moment | undefined;
  /** Early renewals of rejected certificates, without a long pause between two of them. */
  #refusals = 0;
  #loggedFault: string | undefined;
  #kept: Promise<void> | undefined;

  /** @param fallback offers the key of the actor's `fallback` */
  constructor(context: ActorContext, fallback: PlainKeySource, deps: CertificateDependencies) {
    this.#context = context;
    this.#fallback = fallback;
    this.#deps = deps;
    this.#renewal = new Renewal(context, deps);
  }

  /** The last certificate, valid now or not. */
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
    return this.#renewal.retryLeftMs ?? (held && leftMs(held.received, held.renewAfterMs, now()));
  }

  async current(need: Need): Promise<Offer> {
    const { fallback } = this.#context.actor();
    await this.#beReady(need);
    const held = this.#valid;
    const refused = held !== undefined && need.refused.includes(held.id);
    if (held && !(refused && fallback && !need.serving))
      return offerCertificate(held, this.#context.actor(), this.#context.version());
    const why = refused ? rejectedError(held.certificate) : this.#absence;
    if (!fallback) throw why;
    const offer = await this.#fallback.asFallback(fallback, why);
    this.#deps.record.needed(new Date());
    return offer;
  }

  async lookAfter(keyChanged: boolean): Promise<void> {
    await this.#loadKept();
    this.#logFault();
    const held = this.#held;
    const due =
      !held || !isValid(held) || keyChanged || this.#overdue || isDue(held.received, held.renewAfterMs, now());
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
    const fallbackInUse = this.#fallback.last?.standIn && !this.#valid;
    if (fallbackInUse && !isDeepStrictEqual(before.fallback, actor.fallback)) this.#context.supersede();
    const held = this.#held;
    if (held && (!isDeepStrictEqual(before.key, actor.key) || misfitOf(held.certificate, held.key, actor)))
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

  /** The certificate, when the clock allows its use now: the clock may have been set since its receipt. */
  get #valid(): HeldCertificate | undefined {
    return this.#held && isValid(this.#held) ? this.#held : undefined;
  }

  /** Why there is no valid certificate. */
  get #absence(): TunnelError {
    return this.#renewal.error ?? (this.#held && faultOf(this.#held)) ?? noneYet(this.#context.actor());
  }

  /** Renews first if the login needs a renewal. Never rejects. */
  async #beReady(need: Need): Promise<void> {
    await this.#loadKept();
    this.#logFault();
    const held = this.#valid;
    if (held && need.refused.includes(held.id)) {
      if (this.#mayReplaceRefused(now())) await this.#renew();
      return;
    }
    if (held && !endsWithin(held.lifetime, held.lifeMs, Date.now(), need.attemptMs)) return;
    if (!this.#renewing && !this.#renewal.mayRun) return;
    const renewed = this.#renew();
    // A command that hangs must not use up the certificate: wait for half of its remaining life.
    if (held) await settledWithin(renewed, (held.lifetime.validBeforeMs - Date.now()) / 2);
    else if (!this.#context.actor().fallback || this.#renewal.failures === 0) await renewed;
  }

  /** Whether a rejected certificate is renewed now, which then counts. */
  #mayReplaceRefused(at: Moment): boolean {
    const last = this.#refusedAt;
    const pauseMs = Math.min(MOST_REFUSED_MS, REFUSED_MS * 2 ** Math.max(0, this.#refusals - 1));
    // Another time may be the cure: the last certificate was perhaps made by a wrong clock.
    if (last && !isDue(last, pauseMs, at) && !wasSet(last, at)) return false;
    const again = last && !isDue(last, 2 * MOST_REFUSED_MS, at);
    this.#refusals = again ? this.#refusals + 1 : 1;
    this.#refusedAt = at;
    return true;
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

  #logFault(): void {
    const held = this.#held;
    const fault = held && faultOf(held);
    if (!held || !fault || this.#loggedFault === faultId(held, fault)) return;
    this.#loggedFault = faultId(held, fault);
    const { error } = this.#renewal;
    const why = error ? `: ${error.message}` : '';
    const { log } = this.#deps;
    const fields = certificateFields(held);
    if (fault.code === 'cert_expired')
      log.error({ event: 'certificate.expired', ...fields }, `certificate expired${why}`);
    else log.error({ event: 'certificate.not_yet_valid', ...fields, hint: fault.hint }, `${fault.message}${why}`);
  }

  /** Loads, once, the certificate that an earlier run saved. If the clock is against it, the clock may be wrong. */
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
      const misfit = misfitOf(certificate, key, context.actor());
      if (misfit) throw misfit;
      const held = hold(certificate, key, context.actor().renewAfter, this.#deps.random());
      this.#held = held;
      const fault = faultOf(held);
      if (fault) {
        this.#loggedFault = faultId(held, fault);
        throw fault;
      }
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

function faultId({ id }: HeldCertificate, { code }: TunnelError): string {
  return `${id} ${code}`;
}

/** The reason before the first run of the command. */
function noneYet({ name }: ActorConfig): TunnelError {
  return new TunnelError('cert_command_failed', `no certificate for ${name} yet`);
}
