import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, FallbackConfig } from '../../config/config.ts';
import type { ActorContext, ActorSource } from './actor-source.ts';
import { fallbackReason, offerKey } from './key-offer.ts';
import type { CredentialFacts, Offer } from './offer.ts';

/**
 * A key without a certificate: the actor's credential, or the fallback for its certificate. The key is read again for
 * each offer. A new key raises the version, as a new certificate does.
 */
export class PlainKeySource implements ActorSource {
  readonly dueMs = undefined;
  readonly #context: ActorContext;
  #last: CredentialFacts | undefined;

  constructor(context: ActorContext) {
    this.#context = context;
  }

  /** The last credential offered; undefined before the first offer. */
  get last(): CredentialFacts | undefined {
    return this.#last;
  }

  async current(): Promise<Offer> {
    const context = this.#context;
    return this.#handOut(await offerKey(context.actor(), context.version(), undefined, context.env));
  }

  async lookAfter(keyChanged: boolean): Promise<void> {
    // The next login reports the error of the key.
    if (keyChanged) await this.current().catch(() => this.#context.doubt());
  }

  async refresh(): Promise<void> {
    await this.current();
  }

  /**
   * The fallback. Rejects with a TunnelError that names both reasons.
   *
   * @param why no certificate can be offered
   */
  async asFallback({ key, exception }: FallbackConfig, why: TunnelError): Promise<Offer> {
    const standIn = fallbackReason(why, exception);
    const version = this.#context.version();
    const offer = await offerKey({ key }, version, standIn, this.#context.env).catch((thrown: unknown) => {
      const { code, message, hint } = TunnelError.from(thrown);
      throw new TunnelError(code, `${why.message}; the fallback also failed: ${message}`, {
        cause: thrown,
        hint,
      });
    });
    return this.#handOut(offer);
  }

  #handOut(offer: Offer): Offer {
    const last = this.#last;
    // Which of an agent's keys a session uses is unknown: an added key is no reason to replace the session.
    const stays = last?.type === 'agent' && offer.facts.type === 'agent';
    if (last && last.id !== offer.facts.id && !stays) this.#context.supersede();
    this.#last = { ...offer.facts, version: this.#context.version() };
    return { ...offer, facts: this.#last };
  }
}

/** The settings that decide which key is offered, for comparison. */
export function sourceOf({ key, principals, caFingerprints }: ActorConfig): unknown {
  return key.kind === 'agent' ? { key, principals, caFingerprints } : key;
}
