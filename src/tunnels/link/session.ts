import type { Signal } from '../../base/async/signal.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from '../channel/channel-source.ts';
import type { FarSession } from '../channel/far-side.ts';
import type { CredentialFacts } from '../credential/offer.ts';
import type { HandshakeStep } from '../ssh/handshake.ts';
import type { SessionEnd, SessionFacts } from '../ssh/session.ts';
import type { Carrier } from './jump.ts';

/** What tells when a server with a limit for unused sessions ends one. */
export interface Idling {
  /** For how long the session has carried nothing, in milliseconds; undefined while it carries something. */
  readonly idleMs?: number | undefined;
  /** Far-side listeners on the session. They do not count as use. */
  readonly listeners?: number;
}

/** What a link needs of an SSH session. */
export interface LinkSession extends FarSession, Idling {
  readonly facts: SessionFacts;
  readonly since: Date;
  readonly closed: Promise<SessionEnd>;
  /** Settles with the first answer after the login, or with the end of the session. */
  readonly answered?: Promise<void>;
  readonly channels: number;
  /** A keepalive has no answer for longer than {@link patienceMs}: new connections avoid the session. */
  readonly suspect: boolean;
  /** Another session should replace this one. */
  readonly outworn?: boolean;
  /** How long an answer may take, in milliseconds: a few round trips. */
  readonly patienceMs: number;
  /** Opens that the server has not answered, with those whose caller has left. */
  readonly unanswered: number;
  /** The host (in lower case) whose open has frozen the suspect session; undefined when another cause is possible. */
  readonly frozenBy: string | undefined;
  readonly rttMs: number | undefined;
  /** The address of the server; undefined over a jump host. */
  readonly address?: string | undefined;
  /**
   * Opens a channel. With `onPassed`, keepalives guard the open: only then can the open become {@link frozenBy}. Called
   * once, when the server goes on after the open or the session is over; `quick`: before the session was suspect.
   */
  open(target: Address, originator: Originator, signal: Signal, onPassed?: (quick: boolean) => void): Promise<Channel>;
  /** Asks for a sign of life at once. */
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
  /** `avoid`: addresses that are tried last. `onFailed`: an address accepted the connection, but made no session. */
  | { readonly kind: 'direct'; readonly avoid: readonly string[]; onFailed?(address: string): void }
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
