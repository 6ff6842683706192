import type { TunnelError } from '../../base/errors.ts';
import type { Credential } from './credential.ts';

/** The public facts of a credential. */
export interface CredentialFacts {
  readonly type: Credential['type'];
  /** SHA-256 fingerprint of the public key; undefined for an agent. */
  readonly fingerprint: string | undefined;
  /** Different for every credential; not secret. */
  readonly id: string;
  /** Grows with each new credential; sessions with an older version are replaced. */
  readonly version: number;
  /** Expiry; undefined when the credential does not expire. */
  readonly validBefore: Date | undefined;
  /** Why this is a fallback; undefined when it is not a fallback. */
  readonly standIn: TunnelError | undefined;
}

/** A credential to log in with, and its public facts. */
export interface Offer {
  readonly credential: Credential;
  readonly facts: CredentialFacts;
  /** Names the credential in errors. */
  readonly label: string;
  /** Hint for a rejection by the server; undefined: the usual hint. */
  readonly ifRejected?: string | undefined;
}

/** What a link tells when it asks for a credential. */
export interface Need {
  /** {@link CredentialFacts.id} of the credentials that the server just rejected. */
  readonly refused: readonly string[];
  /** Whether the link serves already; then it wants no fallback. */
  readonly serving: boolean;
  /** How long the login may take, in milliseconds. */
  readonly attemptMs: number;
}

/** Where a link gets its credentials. */
export interface CredentialSource {
  /** Rejects with a TunnelError when there is no credential. Bounded. */
  current(need: Need): Promise<Offer>;
}
