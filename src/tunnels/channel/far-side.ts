import type { Signal } from '../../base/async/signal.ts';
import type { Address } from '../../base/net/address.ts';
import type { Channel, Originator } from './channel-source.ts';

/** A connection to a listener on the far side (RFC 4254 section 7.2, `forwarded-tcpip`), not yet answered. */
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
   * Asks the server to listen. Rejects with `remote_listen_denied` when the server refuses; it gives no reason, so the
   * address may be in use. After any other rejection the server may be listening.
   */
  bind(signal: AbortSignal): Promise<void>;
  /**
   * Asks the server to stop listening, also before the answer to `bind`. Returns whether the server confirmed. If the
   * server listens on, another session replaces this one; not with `useless`, because the next one would be no better.
   */
  cancel(useless?: boolean): Promise<boolean>;
  /** Whether the server listens on after a cancellation. Then `bind` succeeds at once, on this session alone. */
  kept?(): boolean;
  /** Ends the listener, so that a draining session need not wait for it. */
  release(): void;
}

/** A trouble with a far-side listener whose fix depends on the software of the server. */
export type ListenTrouble =
  /** On loopback only. */
  | 'too_narrow'
  /** On every address. */
  | 'too_wide'
  /** The server does not let us connect to the listener. */
  | 'unprovable'
  /** A lost session keeps the listener. */
  | 'ghost';

/** What a remote forward needs from an SSH session. The link owns the session and chooses one for each listener. */
export interface FarSession {
  /** Whether channels and listeners may be requested. */
  readonly usable: boolean;
  /** Settles once the session is gone; `silentMs` is how long the peer had been silent by then. */
  readonly closed: Promise<{ readonly silentMs: number }>;
  /** The fix in the words of the server; undefined when settings of sshd are the fix. */
  fix?(trouble: ListenTrouble): string | undefined;
  open(target: Address, originator: Originator, signal: Signal): Promise<Channel>;
  /** A listener that is not bound yet. A draining session does not end before the listener is released. */
  listener(address: Address, onConnection: (incoming: IncomingConnection) => void): FarListener;
}
