import type { ActorConfig } from '../../config/config.ts';
import type { CredentialSource } from './offer.ts';

/** One way in which an actor gets its credentials: a certificate that is renewed, or a key that is read again. */
export interface ActorSource extends CredentialSource {
  /** Milliseconds until {@link lookAfter} has something to do; undefined where only a change of the key file matters. */
  readonly dueMs: number | undefined;
  /**
   * Does whatever is due now. Never rejects.
   *
   * @param keyChanged whether the key file was written since the last call
   */
  lookAfter(keyChanged: boolean): Promise<void>;
  /** Gets a credential anew, whatever the time. Rejects with a TunnelError. */
  refresh(): Promise<void>;
}

/** What the sources of one actor share. */
export interface ActorContext {
  /** The settings of now: a reload replaces them. */
  actor(): ActorConfig;
  /** The version of the credential to use now. */
  version(): number;
  /** Another credential takes the place of the last: the version grows, and sessions of an older version are replaced. */
  supersede(): void;
  /** The environment of the daemon. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when nobody uses the actor any more. */
  readonly signal: AbortSignal;
}
