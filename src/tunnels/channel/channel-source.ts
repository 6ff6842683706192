import type { Duplex } from 'node:stream';
import type { Signal } from '../../base/async/signal.ts';
import type { Address } from '../../base/net/address.ts';

/** The client behind a channel: RFC 4254 section 7.2, "originator IP address" and "originator port". */
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
  /** Whether a write to the stream copies the bytes before it returns, as long as no earlier write waits. */
  readonly copiesWrites?: boolean;
  /**
   * Calls back once, synchronously, when the SSH session of the channel is lost and before the stream ends: the last
   * moment to tell a truncated stream from a finished one. `complete`: the peer's EOF had arrived, so the stream has
   * everything that the peer sent.
   */
  onLost(callback: (complete: boolean) => void): void;
  /** Closes the channel in any state (SSH_MSG_CHANNEL_CLOSE) and drops unread data. Idempotent. */
  close(): void;
  /** Closes the channel with a reset, if the transport has resets: SSH has none. */
  reset?(): void;
}

/** What a forward needs from its link. The link chooses the session. */
export interface ChannelSource {
  /** Whether a channel can be opened now. */
  readonly ready: boolean;
  /** Settles as soon as {@link ready}; rejects with the signal's reason when that aborts. */
  whenReady(signal: Signal): Promise<void>;
  /**
   * Settles when the session for the next channel has answered once since its login: the time of an earlier answer has the
   * start of the session in it. Rejects like {@link whenReady}. Undefined: the session has answered, or there is none.
   */
  whenAnswering?(signal: Signal): Promise<void> | undefined;
  /**
   * Opens a channel. Rejects with a TunnelError: `target_refused`, `target_unreachable` and `forward_denied` are the
   * peer's answer; `connection_reset`, `keepalive_lost` and `protocol_error` mean that the session ended first: try another.
   */
  open(target: Address, originator: Originator, signal: Signal): Promise<Channel>;
}
