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
  /** The address that it goes to; undefined over another session. */
  readonly address?: string | undefined;
  check(): void;
  drain(): void;
  /** `patienceMs` bounds the wait for the peer, in milliseconds. */
  end(patienceMs?: number): Promise<SessionEnd>;
}

/** A step on the way to a session; over a jump host the first two are missing. */
export type ConnectStep =
  | { readonly name: 'dns' }
  | { readonly name: 'tcp'; readonly addresses: readonly string[] }
  | { readonly name: HandshakeStep };

/** How a session gets to its host. */
export type Route =
  /** `inUse`: addresses of the link's other sessions. */
  | { readonly kind: 'direct'; readonly inUse: readonly string[] }
  | {
      readonly kind: 'jump';
      readonly host: string;
      readonly carrier: Carrier;
      /** One more channel to the same host, for what is not the session itself. */
      another(signal: AbortSignal): Promise<Carrier>;
    };

/** One of the link's sessions. */
export interface Held {
  readonly id: number;
  /** Sessions of an older generation were made with settings that no longer hold, and are replaced before they end. */
  readonly generation: number;
  /** Of the credential that the session was made with. */
  readonly facts: CredentialFacts;
  readonly session: LinkSession;
  /** What it runs over; undefined where it is dialled directly. */
  readonly carrier?: Carrier | undefined;
}
