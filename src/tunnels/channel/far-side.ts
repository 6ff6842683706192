import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from './channel-source.ts';

/** A connection that a listener on the far side has taken (RFC 4254 section 7.2, `forwarded-tcpip`), not yet answered. */
export interface IncomingConnection {
  readonly originator: Originator;
  /** Confirms the channel. Throws a TunnelError when the session is gone. */
  accept(): Channel;
  /** Refuses the channel: the server then closes its client's connection. Does nothing once answered. */
  reject(): void;
}

/** One address that a session may listen on at the far side (RFC 4254 section 7.1, `tcpip-forward`). */
export interface FarListener {
  /**
   * Asks the server to listen. Rejects with `remote_listen_denied` when it refuses: it gives no reason, so that this may
   * as well be an address in use. Everything else it rejects with leaves open whether the server listens.
   */
  bind(signal: AbortSignal): Promise<void>;
  /** Asks the server to stop, also where the answer to `bind` is still due; says whether it has confirmed that. */
  cancel(): Promise<boolean>;
  /** Nothing comes of this listener any more, and a drained session need not live on for it. */
  release(): void;
}

/** What a remote forward needs of an SSH session. The link owns it, and says which one a listener belongs on. */
export interface FarSession {
  /** Whether channels and listeners may be asked for. */
  readonly usable: boolean;
  /** Settles once the session is gone; `silentMs` is how long the peer had been silent by then. */
  readonly closed: Promise<{ readonly silentMs: number }>;
  open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel>;
  /** A listener that is not bound yet. Until it is released, a drained session does not end. */
  listener(address: Address, onConnection: (incoming: IncomingConnection) => void): FarListener;
}
