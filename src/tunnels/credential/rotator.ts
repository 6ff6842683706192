import { isDeepStrictEqual } from 'node:util';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { settledWithin } from '../../base/async/settled-within.ts';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig, FallbackConfig } from '../../config/config.ts';
import type { CredentialStatus } from '../../telemetry/status/status.ts';
import type { Certificate } from '../ssh/certificate/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { checkUserCertificate } from './certificate-gate.ts';
import { describeCredential } from './describe-credential.ts';
import { FileWatch } from './file-watch.ts';
import {
  certificateFields,
  type HeldCertificate,
  hold,
  idOf,
  isAlive,
  now,
  offerCertificate,
} from './held-certificate.ts';
import type { Issuer } from './issuer.ts';
import { loadKeyFile } from './key-file.ts';
import { inTime, offerKey, standInFor } from './key-offer.ts';
import type { NeedRecord } from './need-record.ts';
import type { CredentialFacts, CredentialSource, Need, Offer } from './offer.ts';
import { rejectedError } from './rejected-hint.ts';
import { noneYet, Renewal, type RenewalDependencies } from './renewal.ts';
import { endsWithin, isDue } from './renewal-policy.ts';

export interface RotatorDependencies extends RenewalDependencies {
  readonly issuer: Issuer;
  /** When the fallback was needed. */
  readonly record: NeedRecord;
  /** The daemon's. */
  readonly env: NodeJS.ProcessEnv;
  /** Sessions with a credential of an older version than this are to be replaced. */
  onChange(version: number): void;
}

/** Between two looks at the key file and the clock, in milliseconds. */
const LOOK_MS = 5_000;
/** A certificate that a server has rejected is replaced before its time, but no more often than this. */
const REFUSED_MS = 600_000;

/**
 * What one actor authenticates with, now and from now on; its links share it. Keeps a certificate that works until there is
 * another one, and says when one takes the place of another. A key alone is read anew each time, and its change is told
 * like that of a certificate.
 */
export class Rotator implements CredentialSource {
  readonly #deps: RotatorDependencies;
  readonly #stop = new AbortController();
  readonly #renewal: Renewal;
  #actor: ActorConfig;
  #version = 1;
  #held: HeldCertificate | undefined;
  /** What was handed out last that was no certificate. */
  #plain: CredentialFacts | undefined;
  /** Something has changed that the certificate in use knows nothing of. */
  #overdue = false;
  #refusedAt: number | undefined;
  #toldExpired: string | undefined;
  #kept: Promise<void> | undefined;
  #watch: FileWatch;
  #loop: Repeating | undefined;

  constructor(actor: ActorConfig, deps: RotatorDependencies) {
    this.#actor = actor;
    this.#deps = deps;
    this.#renewal = new Renewal(deps);
    this.#watch = new FileWatch(fileOf(actor));
  }

  /** Begins to look after it: loads what was kept, renews in time, watches the key file. */
  start(): void {
    if (this.#loop) return;
    // Before anybody reads the key: what is written from then on is a change.
    void this.#watch.hasChanged();
    this.#loop = repeat(
      () => this.#look(),
      () => this.#pauseMs(),
      this.#stop.signal,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('internal', `actor ${this.#actor.name} is stopping`));
    await this.#loop?.done;
    await this.#renewal.running;
    await this.#deps.record.flush();
  }

  async current(need: Need): Promise<Offer> {
    this.start();
    const { certCommand, fallback } = this.#actor;
    if (!certCommand) return this.#offerKey();
    await this.#beReady(need);
    const held = this.#alive;
    const refused = held !== undefined && need.refused.includes(held.id);
    if (held && !(refused && fallback && !need.serving))
      return offerCertificate(held, pathOf(this.#actor), this.#version);
    const why = refused ? rejectedError(held.certificate) : (this.#renewal.error ?? noneYet(this.#actor));
    if (!fallback) throw why;
    return this.#offerFallback(fallback, why);
  }

  /** A new one now, whatever the time: obtained, or the same key taken up anew. Rejects with a TunnelError. */
  async rotate(): Promise<void> {
    this.start();
    const before = this.#version;
    if (this.#actor.certCommand) {
      await this.#loadKept();
      await this.#renew();
      const { failures, error } = this.#renewal;
      if (failures > 0 && error) throw error;
    } else {
      await this.#offerKey();
    }
    if (this.#version === before) this.#supersede();
  }

  /** New settings. What is in use goes on being used while it passes them, and until there is something else. */
  reconfigure(actor: ActorConfig): void {
    const before = this.#actor;
    this.#actor = actor;
    if (isDeepStrictEqual(before, actor)) return;
    this.#watch = new FileWatch(fileOf(actor));
    void this.#watch.hasChanged();
    if (!actor.certCommand) {
      if (before.certCommand || !isDeepStrictEqual(sourceOf(before), sourceOf(actor))) this.#forgetCertificate();
      return;
    }
    if (actor.fallback) void this.#deps.record.begin();
    const standsIn = this.#plain?.standIn && !this.#alive;
    if (standsIn && !isDeepStrictEqual(before.fallback, actor.fallback)) this.#supersede();
    const held = this.#held;
    if (held && (!isDeepStrictEqual(before.key, actor.key) || this.#objection(held.certificate, held.key)))
      this.#held = undefined;
    if (held && before.renewAfter !== actor.renewAfter) this.#plan(held.certificate, held.key);
    this.#renewal.reset();
    this.#overdue = !this.#held || !isDeepStrictEqual(before.certCommand, actor.certCommand);
    this.#loop?.runNow();
  }

  /** A session serves with the fallback. */
  noteNeeded(at: Date): void {
    this.#deps.record.needed(at);
  }

  status(): CredentialStatus {
    return describeCredential({
      actor: this.#actor,
      held: this.#held,
      plain: this.#plain,
      renewal: this.#renewal,
      need: this.#deps.record,
      now: new Date(),
    });
  }

  get #alive(): HeldCertificate | undefined {
    return this.#held && isAlive(this.#held) ? this.#held : undefined;
  }

  #pauseMs(): number {
    const held = this.#held;
    const dueMs = held && held.received.monotonicMs + held.renewAfterMs - performance.now();
    // While a retry is due later, the time of renewal is long over.
    const leftMs = (this.#actor.certCommand && (this.#renewal.retryLeftMs ?? dueMs)) ?? LOOK_MS;
    return Math.min(LOOK_MS, Math.max(0, leftMs));
  }

  async #look(): Promise<void> {
    const changed = await inTime('the key', this.#watch.hasChanged()).catch(() => false);
    if (!this.#actor.certCommand) {
      // Who reads it next says what is wrong with it.
      if (changed) await this.#offerKey().catch(() => {});
      return;
    }
    await this.#loadKept();
    this.#tellExpiry();
    const held = this.#held;
    const due = !held || changed || this.#overdue || isDue(held.received, held.renewAfterMs, now());
    if (due && (this.#renewal.mayRun || changed)) await this.#renew();
  }

  /** As good a certificate as can be had before the login. Never rejects. */
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
    if (!this.#renewal.running && !this.#renewal.mayRun) return;
    const renewed = this.#renew();
    // While there is something to log in with, a command that hangs is not waited for until there is not.
    if (held) await settledWithin(renewed, (held.lifetime.validBeforeMs - Date.now()) / 2);
    else if (!this.#actor.fallback || this.#renewal.failures === 0) await renewed;
  }

  /** One at a time. Never rejects: what came of it is in the state. */
  #renew(): Promise<void> {
    return this.#renewal.run(() => this.#renewOnce());
  }

  async #renewOnce(): Promise<void> {
    const actor = this.#actor;
    this.#overdue = false;
    try {
      const key = await this.#loadKey(actor);
      const issued = await this.#deps.issuer.issue(actor, key, this.#stop.signal);
      // A reload has come in between: the loop asks again.
      if (!isDeepStrictEqual(actor.key, this.#actor.key) || !this.#actor.certCommand) return;
      const objection = this.#objection(issued.certificate, key);
      if (objection) throw objection;
      this.#take(issued.certificate, key);
      await issued.save().catch((error: unknown) => this.#renewal.notKept(TunnelError.from(error)));
    } catch (thrown) {
      if (this.#stop.signal.aborted) return;
      this.#renewal.failed(this.#actor, TunnelError.from(thrown), this.#alive);
    }
  }

  #take(certificate: Certificate, key: PrivateKey): void {
    const changed = this.#held?.id !== idOf(certificate);
    const held = this.#plan(certificate, key);
    this.#renewal.succeeded(this.#actor, changed);
    this.#deps.log.info(
      { event: 'certificate.renewed', ...certificateFields(held), renew_in_ms: Math.round(held.renewAfterMs), changed },
      changed ? 'certificate obtained' : 'cert_command gave the same certificate again',
    );
    if (changed) this.#supersede();
  }

  #plan(certificate: Certificate, key: PrivateKey): HeldCertificate {
    this.#held = hold(certificate, key, this.#actor.renewAfter, this.#deps.random());
    return this.#held;
  }

  #tellExpiry(): void {
    const held = this.#held;
    if (!held || isAlive(held) || this.#toldExpired === held.id) return;
    this.#toldExpired = held.id;
    const { error } = this.#renewal;
    const why = error ? `: ${error.message}` : '';
    this.#deps.log.error(
      { event: 'certificate.expired', ...certificateFields(held) },
      `the certificate has expired${why}`,
    );
  }

  /** Once: what an earlier run has kept, if it still passes. */
  #loadKept(): Promise<void> {
    this.#kept ??= this.#loadOnce();
    return this.#kept;
  }

  async #loadOnce(): Promise<void> {
    if (this.#actor.fallback) await this.#deps.record.begin();
    try {
      const certificate = await inTime('the kept certificate', this.#deps.issuer.kept());
      if (!certificate) return;
      const key = await this.#loadKey(this.#actor);
      const objection = this.#objection(certificate, key);
      if (objection) throw objection;
      this.#deps.log.info(
        { event: 'certificate.loaded', ...certificateFields(this.#plan(certificate, key)) },
        'certificate loaded',
      );
      this.#supersede();
    } catch (error) {
      const { message } = TunnelError.from(error);
      this.#deps.log.info(
        { event: 'certificate.kept_unusable', err: error },
        `the kept certificate is no use: ${message}`,
      );
    }
  }

  #objection(certificate: Certificate, { key }: PrivateKey): TunnelError | undefined {
    const { principals, caFingerprints } = this.#actor;
    return checkUserCertificate(certificate, { publicKey: key.getPublicSSH(), principals, caFingerprints }, Date.now());
  }

  #loadKey({ name, key }: ActorConfig): Promise<PrivateKey> {
    if (key.kind === 'agent') throw new TunnelError('internal', `actor ${name} has no key file to certify`);
    const { CREDENTIALS_DIRECTORY: directory } = this.#deps.env;
    return inTime('the key', loadKeyFile(key.path, key.passphraseFile, directory));
  }

  async #offerKey(): Promise<Offer> {
    return this.#handOut(await offerKey(this.#actor, this.#version, undefined, this.#deps.env));
  }

  async #offerFallback({ key, exception }: FallbackConfig, why: TunnelError): Promise<Offer> {
    const standIn = standInFor(why, exception);
    const offer = await offerKey({ key }, this.#version, standIn, this.#deps.env).catch((thrown: unknown) => {
      const { code, message, hint } = TunnelError.from(thrown);
      throw new TunnelError(code, `${why.message}; nor can the fallback be used: ${message}`, { cause: thrown, hint });
    });
    this.#deps.record.needed(new Date());
    return this.#handOut(offer);
  }

  /** Another key than the last one takes its place. */
  #handOut(offer: Offer): Offer {
    // Which of an agent's keys a session goes by is not known: one more in there is no reason to replace it.
    const stays = this.#plain?.type === 'agent' && offer.facts.type === 'agent';
    if (this.#plain && this.#plain.id !== offer.facts.id && !stays) this.#supersede();
    this.#plain = { ...offer.facts, version: this.#version };
    return { ...offer, facts: this.#plain };
  }

  #forgetCertificate(): void {
    this.#held = undefined;
    this.#renewal.reset();
    this.#supersede();
  }

  #supersede(): void {
    this.#version++;
    this.#deps.onChange(this.#version);
  }
}

/** What of the settings decides which key is offered. */
function sourceOf({ key, principals, caFingerprints }: ActorConfig): unknown {
  return key.kind === 'agent' ? { key, principals, caFingerprints } : key;
}

function fileOf({ key }: ActorConfig): string | undefined {
  return key.kind === 'file' ? key.path : undefined;
}

function pathOf({ key }: ActorConfig): string {
  return key.kind === 'file' ? key.path : 'ssh-agent';
}
