import type { ActorConfig, HostConfig } from '../config/config.ts';
import type { TunnelError } from '../errors.ts';
import type { FarSession } from '../forward/far-side.ts';
import type { SessionEnd, SessionFacts } from '../ssh/session.ts';
import type { Carrier } from './jump.ts';

/** What a link needs of an SSH session. */
export interface LinkSession extends FarSession {
  readonly facts: SessionFacts;
  readonly since: Date;
  readonly closed: Promise<SessionEnd>;
  readonly channels: number;
  /** Bytes received from the peer so far. */
  readonly received: number;
  readonly suspect: boolean;
  readonly rttMs: number | undefined;
  /** The address that it goes to; undefined over another session. */
  readonly address?: string | undefined;
  check(): void;
  drain(): void;
  end(): Promise<SessionEnd>;
}

/** The credential of an attempt, as far as it may be shown. */
export interface CredentialFacts {
  readonly type: 'static_key' | 'agent' | 'certificate';
  /** SHA-256 fingerprint of the public key; undefined where an agent decides. */
  readonly fingerprint: string | undefined;
  /** Another one for whatever else might be offered; nothing secret. */
  readonly id: string;
  /** Grows with each credential that takes the place of another: what was made with an older one is to be replaced. */
  readonly version: number;
  /** When it ends; undefined where it does not. */
  readonly validBefore: Date | undefined;
  /** Why it is only the stand-in for another one; undefined when it is not. */
  readonly standIn: TunnelError | undefined;
}

/** What those who hand out credentials should know of whoever asks for one. */
export interface Need {
  /** {@link CredentialFacts.id} of those that the server has just rejected. */
  readonly refused: readonly string[];
  /** Whether the link serves without it: then nothing less than the real thing is wanted. */
  readonly serving: boolean;
}

/** One attempt, after everything local was read and checked and before anything touched the network. */
export interface Attempt {
  readonly credential: CredentialFacts;
  connect(signal: AbortSignal, route: Route): Promise<LinkSession>;
}

/** How a session gets to its host. */
export type Route =
  /** `inUse`: addresses of the link's other sessions. */
  | { readonly kind: 'direct'; readonly inUse: readonly string[] }
  | { readonly kind: 'jump'; readonly host: string; readonly carrier: Carrier };

/** Reads what is needed anew, so that a mended file is seen by the next attempt. Bounded; rejects with a TunnelError. */
export type Prepare = (host: HostConfig, actor: ActorConfig, need: Need, signal: AbortSignal) => Promise<Attempt>;

/** One of the link's sessions. */
export interface Held {
  readonly id: number;
  /** Sessions of an older generation were made with settings that no longer hold, and are replaced before they end. */
  readonly generation: number;
  readonly credential: CredentialFacts;
  readonly session: LinkSession;
  /** What it runs over; undefined where it is dialled directly. */
  readonly carrier?: Carrier | undefined;
}
