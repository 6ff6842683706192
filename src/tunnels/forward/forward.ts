import type { TunnelError } from '../../base/errors.ts';
import type { Listener } from '../../base/net/listener.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { Usage } from './usage.ts';

/** What a forward itself has to say about being up. */
export type ForwardCondition =
  /** Its listener is there; on this node, bound by systemd or by this daemon. */
  | { readonly kind: 'serving'; readonly listenBy?: Listener['by'] }
  /** Its listener is not there: being bound, or why not. */
  | { readonly kind: 'unbound'; readonly error: TunnelError | undefined }
  /** Its listener is there, but that what comes to it comes to us is not proven: yet, or for this reason. */
  | { readonly kind: 'unverified'; readonly error: TunnelError | undefined };

/** One forward of a tunnel, whatever its direction. Its options come with its class. */
export interface Forward {
  readonly condition: ForwardCondition;
  /** Opens what a probe needs to see the target as a client of this forward does; without it the link's channels do. */
  readonly probeSource?: ChannelSource;
  /** Makes the listener; when that fails, goes on trying until it works. */
  start(): Promise<void>;
  /** No new connections; those that are open or waiting live on. Undone by {@link start}. */
  stopAccepting(): Promise<void>;
  /** Settles when no connection is open or waiting. */
  whenIdle(): Promise<void>;
  /** Resets every connection, open or waiting. */
  resetAll(): void;
  /** Somebody has changed something: a listener that could not be made is tried again now. */
  retry?(): void;
  /** Sessions of the link have come or gone. */
  linkChanged?(): void;
}

export interface ForwardDependencies {
  readonly source: ChannelSource;
  readonly usage: Usage;
  /** {@link Forward.condition} has changed. */
  onChange(): void;
  /** A connection was given its channel, so many seconds after it came. */
  onOpened(seconds: number): void;
  /** A connection was not served. Errors of the peer's making are the tunnel's business, too. */
  onFailed(error: TunnelError): void;
  /** One accept failed; the listener lives. */
  onAcceptError(error: Error): void;
}
