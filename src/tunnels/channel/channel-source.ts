import type { Duplex } from 'node:stream';
import type { Address } from '../../base/net/address.ts';

/** Who asks for a channel: RFC 4254 section 7.2, "originator IP address" and "originator port". */
export interface Originator {
  readonly address: string;
  readonly port: number;
}

/**
 * One open SSH channel to a target (RFC 4254 section 7.2, `direct-tcpip`), as a forward sees it. The stream carries
 * half-close both ways: `end()` sends SSH_MSG_CHANNEL_EOF, the peer's EOF ends its readable side.
 */
export interface Channel {
  readonly stream: Duplex;
  /**
   * Calls back once, synchronously, when the SSH session under the channel is lost, before the stream is ended by that
   * loss: the last moment to tell a truncated stream from a finished one. `complete` says whether the peer's EOF had
   * arrived, so that everything the peer sent is in the stream.
   */
  onLost(callback: (complete: boolean) => void): void;
  /** Closes the channel whatever its state (SSH_MSG_CHANNEL_CLOSE), dropping what was not read. Idempotent. */
  close(): void;
  /** Closes it as a connection that was reset, where the way can tell that: SSH cannot. */
  reset?(): void;
}

/** What a forward needs of its link. The link decides which of its sessions serves. */
export interface ChannelSource {
  /** Whether a channel can be asked for now. */
  readonly ready: boolean;
  /** Settles as soon as {@link ready}; rejects with the signal's reason when that aborts. */
  whenReady(signal: AbortSignal): Promise<void>;
  /**
   * Opens a channel. Rejects with a TunnelError: `target_refused`, `target_unreachable`, `forward_denied` are the
   * peer's verdict; `connection_reset` and `keepalive_lost` mean that the session went away first, and that another
   * try, on another session, is worth it.
   */
  open(target: Address, originator: Originator, signal: AbortSignal): Promise<Channel>;
}
