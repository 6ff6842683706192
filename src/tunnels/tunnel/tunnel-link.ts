import { TunnelError } from '../../base/errors.ts';
import type { LinkState } from '../../telemetry/status/status.ts';
import type { ChannelSource } from '../channel/channel-source.ts';
import type { FarSession } from '../channel/far-side.ts';

/** What a tunnel needs of its link. */
export interface TunnelLink extends ChannelSource {
  readonly state: LinkState;
  readonly lastError: TunnelError | undefined;
  /** Why it goes by a stand-in for the credential that it should have; undefined when it does not. */
  readonly standIn?: TunnelError | undefined;
  /** Sessions that a listener on the far side may live on, best first. */
  readonly farSessions: readonly FarSession[];
  /** Something behind the link did not answer: is the link itself alive? */
  check(): void;
}

/** Of a tunnel that nothing may go through: no session is made for it. */
export const NO_LINK: TunnelLink = {
  ready: false,
  whenReady: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  open: async () => {
    throw new TunnelError('connection_reset', 'the tunnel is retired: there is no SSH session for it');
  },
  state: 'blocked',
  lastError: undefined,
  farSessions: [],
  check: () => {},
};
