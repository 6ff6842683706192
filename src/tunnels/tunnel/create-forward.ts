import type { TunnelConfig } from '../../config/config.ts';
import type { Forward } from '../forward/forward.ts';
import {
  ListenForward,
  type ListenForwardDependencies,
  type ListenForwardOptions,
} from '../forward/local/listen-forward.ts';
import { fixedTarget, socksTarget } from '../forward/local/negotiate.ts';
import { RemoteForward, type RemoteForwardDependencies, type RemoteForwardOptions } from '../forward/remote/remote.ts';

/** A tunnel's forward, and how to change its settings. The direction stays the same. */
export interface ConfiguredForward {
  readonly forward: Forward;
  /**
   * Applies to new connections. Settles when a moved listener is bound, or has failed for the first time. Without `serve`
   * the listener is not bound: the forward is out of service.
   */
  reconfigure(config: TunnelConfig, serve: boolean): Promise<void>;
}

/** The forward of a local or dynamic tunnel: its clients connect to this node. */
export function createListenForward(config: TunnelConfig, deps: ListenForwardDependencies): ConfiguredForward {
  const forward = new ListenForward(listenOptions(config), deps);
  return { forward, reconfigure: (next, serve) => forward.reconfigure(listenOptions(next), serve) };
}

/** The forward of a remote tunnel: its clients connect to the host. */
export function createRemoteForward(config: TunnelConfig, deps: RemoteForwardDependencies): ConfiguredForward {
  const forward = new RemoteForward(remoteOptions(config), deps);
  return { forward, reconfigure: (next, serve) => forward.reconfigure(remoteOptions(next), serve) };
}

function listenOptions(config: TunnelConfig): ListenForwardOptions {
  const { listen, whileDown, maxConnections } = config;
  const negotiate = config.direction === 'dynamic' ? socksTarget(config.allow) : fixedTarget(config.target);
  return { listen, negotiate, whileDown, maxConnections };
}

function remoteOptions({ name, host, actor, listen, target, maxConnections }: TunnelConfig): RemoteForwardOptions {
  if (target === undefined) throw new Error(`tunnel ${name} changed its direction, so it needs a new forward`);
  return { host, actor, listen, target, maxConnections };
}
