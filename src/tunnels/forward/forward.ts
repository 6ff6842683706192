import type { TunnelError } from '../../base/errors.ts';
import type { Listener } from '../../base/net/listener.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { Usage } from './usage.ts';

/** Whether a forward is up, as far as the forward itself knows. */
export type ForwardCondition =
  /** The listener is bound; on this node, by systemd or by this daemon. */
  | { readonly kind: 'serving'; readonly listenBy?: Listener['by'] }
  /** The listener is not bound: not yet, or for this reason. */
  | { readonly kind: 'unbound'; readonly error: TunnelError | undefined }
  /** The listener is bound, but nothing proves that its connections come to us: not yet, or for this reason. */
  | { readonly kind: 'unverified'; readonly error: TunnelError | undefined };

/** One forward of a tunnel, whatever its direction. Its options come with its class. */
export interface Forward {
  readonly condition: ForwardCondition;
  /**
   * Opens channels for a probe, along the route of this forward's clients. Undefined: the link's channels use the same
   * route.
   */
  readonly probeSource?: ChannelSource;
  /** Binds the listener; after a failure, tries again until it works. */
  start(): Promise<void>;
  /** Stops accepting connections; open and waiting ones continue. Undone by {@link start}. */
  stopAccepting(): Promise<void>;
  /** Settles when no connection is open or waiting. */
  whenIdle(): Promise<void>;
  /** Resets every connection, open or waiting. */
  resetAll(): void;
  /** An operator changed something: a failed listener is tried again at once. */
  retry?(): void;
  /** The sessions of the link changed. */
  linkChanged?(): void;
}

export interface ForwardDependencies {
  readonly source: ChannelSource;
  readonly usage: Usage;
  /** {@link Forward.condition} changed. */
  onChange(): void;
  /** A connection got its channel, this many seconds after its accept. */
  onOpened(seconds: number): void;
  /** A connection was not served. The tunnel also judges the target by errors that the peer caused. */
  onFailed(error: TunnelError): void;
  /** One accept failed; the listener still works. */
  onAcceptError(error: Error): void;
}
