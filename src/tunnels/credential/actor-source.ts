import type { ActorConfig } from '../../config/config.ts';
import type { CredentialSource } from './offer.ts';

/** How an actor gets its credentials: a certificate that is renewed, or a key that is read again. */
export interface ActorSource extends CredentialSource {
  /** Milliseconds until {@link lookAfter} has work; undefined when only a change of the key file matters. */
  readonly dueMs: number | undefined;
  /**
   * Does the work that is due now. Never rejects.
   *
   * @param keyChanged whether the key file was written since the last call
   */
  lookAfter(keyChanged: boolean): Promise<void>;
  /** Gets a new credential now. Rejects with a TunnelError. */
  refresh(): Promise<void>;
}

/** State that the sources of one actor share. */
export interface ActorContext {
  /** The current settings; a reload replaces them. */
  actor(): ActorConfig;
  /** The version of the current credential. */
  version(): number;
  /** Raises the version for a new credential. Sessions of an older version are then replaced. */
  supersede(): void;
  /** The key file changed, and cannot be offered: the next login will fail. */
  doubt(): void;
  /** The environment of the daemon. */
  readonly env: NodeJS.ProcessEnv;
  /** Aborts when no link uses the actor any more. */
  readonly signal: AbortSignal;
}
