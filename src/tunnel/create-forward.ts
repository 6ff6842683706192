import type { TunnelConfig } from '../config/config.ts';
import type { Forward } from '../forward/forward.ts';
import { ListenForward, type ListenForwardOptions } from '../forward/listen-forward.ts';
import { fixedTarget } from '../forward/local.ts';
import { RemoteForward, type RemoteForwardDependencies } from '../forward/remote.ts';

/** A tunnel's forward, and how it takes on new settings of the same direction. */
export interface ConfiguredForward {
  readonly forward: Forward;
  /** For connections from now on; settles when a moved listener was bound or has failed for the first time. */
  reconfigure(config: TunnelConfig): Promise<void>;
}

/** The one place that knows which direction is which class. */
export function createForward(config: TunnelConfig, deps: RemoteForwardDependencies): ConfiguredForward {
  switch (config.direction) {
    case 'local': {
      const forward = new ListenForward(listenOptions(config), deps);
      return { forward, reconfigure: (next) => forward.reconfigure(listenOptions(next)) };
    }
    case 'remote': {
      const forward = new RemoteForward(config, deps);
      return { forward, reconfigure: (next) => forward.reconfigure(next) };
    }
  }
}

function listenOptions({ listen, target, whileDown, maxConnections }: TunnelConfig): ListenForwardOptions {
  return { listen, negotiate: fixedTarget(target), whileDown, maxConnections };
}
