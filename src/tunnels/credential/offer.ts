import type { TunnelError } from '../../base/errors.ts';
import type { Credential } from './credential.ts';

/** A credential, as far as it may be shown. */
export interface CredentialFacts {
  readonly type: Credential['type'];
  /** SHA-256 fingerprint of the public key; undefined where an agent decides. */
  readonly fingerprint: string | undefined;
  /** Another one for whatever else might be offered; nothing secret. */
  readonly id: string;
  /** Grows with each credential that takes the place of another: sessions with an older one are to be replaced. */
  readonly version: number;
  /** When it ends; undefined where it does not. */
  readonly validBefore: Date | undefined;
  /** Why it is only the stand-in for another one; undefined when it is not. */
  readonly standIn: TunnelError | undefined;
}

/** A credential to log in with, and what is shown of it. */
export interface Offer {
  readonly credential: Credential;
  readonly facts: CredentialFacts;
  /** In errors: which of our credentials it is that a server rejects. */
  readonly label: string;
  /** What would help when a server rejects it; undefined where the usual is right. */
  readonly ifRejected?: string | undefined;
}

/** What those who hand out credentials should know of whoever asks for one. */
export interface Need {
  /** {@link CredentialFacts.id} of those that the server has just rejected. */
  readonly refused: readonly string[];
  /** Whether the link serves without it: then nothing less than the real thing is wanted. */
  readonly serving: boolean;
  /** How long the login may take, in milliseconds. */
  readonly attemptMs: number;
}

/** Where a link gets its credentials. */
export interface CredentialSource {
  /** Rejects with a TunnelError when there is none. Bounded. */
  current(need: Need): Promise<Offer>;
}
