import { TunnelError } from '../../base/errors.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { FarSession } from '../channel/far-side.ts';

/** The part of a link that a tunnel uses. */
export interface TunnelLink extends ChannelSource {
  readonly state: LinkState;
  readonly lastError: TunnelError | undefined;
  /** Why the link uses a fallback credential; undefined when it does not. */
  readonly fallbackReason?: TunnelError | undefined;
  /** Sessions that a far-side listener may use, best first. */
  readonly farSessions: readonly FarSession[];
  /** A target behind the link did not answer: checks whether the sessions are alive. */
  check(): void;
}

/** The link of a retired tunnel: no session is made for it. */
export const NO_LINK: TunnelLink = {
  ready: false,
  whenReady: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  open: async () => {
    throw new TunnelError('connection_reset', 'the tunnel is retired, so it has no SSH session');
  },
  state: 'blocked',
  lastError: undefined,
  farSessions: [],
  check: () => {},
};
