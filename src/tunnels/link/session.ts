import type { FarSession } from '../channel/far-side.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import type { HandshakeStep } from '../ssh/handshake.ts';
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
  /** The address of the server; undefined over a jump host. */
  readonly address?: string | undefined;
  check(): void;
  drain(): void;
  /** `patienceMs` bounds the wait for the peer, in milliseconds. */
  end(patienceMs?: number): Promise<SessionEnd>;
}

/** A step of connecting; over a jump host the first two are missing. */
export type ConnectStep =
  | { readonly name: 'dns' }
  | { readonly name: 'tcp'; readonly addresses: readonly string[] }
  | { readonly name: HandshakeStep };

/** How a session reaches its host. */
export type Route =
  /** `inUse`: addresses of the link's other sessions. */
  | { readonly kind: 'direct'; readonly inUse: readonly string[] }
  | {
      readonly kind: 'jump';
      readonly host: string;
      readonly carrier: Carrier;
      /** Opens one more channel to the same host, for another purpose than the session. */
      another(signal: AbortSignal): Promise<Carrier>;
    };

/** One of the link's sessions. */
export interface Held {
  readonly id: number;
  /** Sessions of an older generation have outdated settings, and are replaced before they end. */
  readonly generation: number;
  /** The facts of the session's credential. */
  readonly facts: CredentialFacts;
  readonly session: LinkSession;
  /** The channel that carries the session; undefined when the host is dialled directly. */
  readonly carrier?: Carrier | undefined;
}
