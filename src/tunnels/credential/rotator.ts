import { isDeepStrictEqual } from 'node:util';
import { type Repeating, repeat } from '../../base/async/repeat.ts';
import { TunnelError } from '../../base/errors.ts';
import type { ActorConfig } from '../../config/config.ts';
import type { CredentialStatus } from '../../telemetry/status/status.ts';
import type { ActorContext, ActorSource } from './actor-source.ts';
import { type CertificateDependencies, CertificateSource } from './certificate-source.ts';
import { describeCredential } from './describe-credential.ts';
import { FileWatch } from './file-watch.ts';
import { now } from './held-certificate.ts';
import { inTime } from './key-offer.ts';
import type { CredentialSource, Need, Offer } from './offer.ts';
import { PlainKeySource, sourceOf } from './plain-key.ts';

export interface RotatorDependencies extends CertificateDependencies {
  /** The environment of the daemon. */
  readonly env: NodeJS.ProcessEnv;
  /** Sessions with a credential of an older version must be replaced. */
  onChange(version: number): void;
  /** The next login with the credential may fail. */
  onDoubt(): void;
}

/** Interval between two checks of the key file and the clock, in milliseconds. */
const LOOK_MS = 5_000;

/**
 * The credentials of one actor, shared by its links. The version grows when a certificate is renewed or a key is
 * replaced. Links get the version twice: pushed, to replace older sessions, and with each offer, for the new session.
 */
export class Rotator implements CredentialSource {
  readonly #deps: RotatorDependencies;
  readonly #stop = new AbortController();
  readonly #certificate: CertificateSource;
  readonly #plainKey: PlainKeySource;
  #actor: ActorConfig;
  #version = 1;
  #watch: FileWatch;
  #loop: Repeating | undefined;

  constructor(actor: ActorConfig, deps: RotatorDependencies) {
    this.#actor = actor;
    this.#deps = deps;
    const context: ActorContext = {
      actor: () => this.#actor,
      version: () => this.#version,
      supersede: () => this.#supersede(),
      doubt: () => deps.onDoubt(),
      env: deps.env,
      signal: this.#stop.signal,
    };
    this.#plainKey = new PlainKeySource(context);
    this.#certificate = new CertificateSource(context, this.#plainKey, deps);
    this.#watch = new FileWatch(fileOf(actor));
  }

  /** Loads the saved certificate, then renews in time and watches the key file. */
  start(): void {
    if (this.#loop) return;
    // Before the key is read: every later write counts as a change.
    void this.#watch.look();
    this.#loop = repeat(
      () => this.#look(),
      () => Math.min(LOOK_MS, Math.max(0, this.#source.dueMs ?? LOOK_MS)),
      this.#stop.signal,
    );
  }

  async stop(): Promise<void> {
    this.#stop.abort(new TunnelError('internal', `actor ${this.#actor.name} is stopping`));
    await this.#loop?.done;
    await this.#certificate.stopped();
  }

  async current(need: Need): Promise<Offer> {
    this.start();
    return this.#source.current(need);
  }

  /** Gets a new certificate now, or reads the key again. Always replaces the sessions. Rejects with a TunnelError. */
  async rotate(): Promise<void> {
    this.start();
    const before = this.#version;
    await this.#source.refresh();
    if (this.#version === before) this.#supersede();
  }

  /** Applies a reload. A credential that meets the new settings stays in use until a new one works. */
  reconfigure(actor: ActorConfig): void {
    const before = this.#actor;
    this.#actor = actor;
    if (isDeepStrictEqual(before, actor)) return;
    this.#watch = new FileWatch(fileOf(actor));
    void this.#watch.look();
    this.#certificate.reconfigure(before, actor);
    if (actor.certCommand) this.#loop?.runNow();
    else if (before.certCommand || !isDeepStrictEqual(sourceOf(before), sourceOf(actor))) this.#supersede();
  }

  /** A session served clients with the fallback. */
  noteNeeded(at: Date): void {
    this.#deps.record.needed(at);
  }

  status(): CredentialStatus {
    return describeCredential({
      actor: this.#actor,
      held: this.#certificate.held,
      plain: this.#plainKey.last,
      renewal: this.#certificate.renewal,
      need: this.#deps.record,
      now: now(),
    });
  }

  get #source(): ActorSource {
    return this.#actor.certCommand ? this.#certificate : this.#plainKey;
  }

  async #look(): Promise<void> {
    const news = await inTime('the key', this.#watch.look()).catch(() => 'same' as const);
    if (news === 'lost') this.#deps.onDoubt();
    await this.#source.lookAfter(news === 'changed');
  }

  #supersede(): void {
    this.#version++;
    this.#deps.onChange(this.#version);
  }
}

function fileOf({ key }: ActorConfig): string | undefined {
  return key.kind === 'file' ? key.path : undefined;
}
