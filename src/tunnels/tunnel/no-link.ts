import { TunnelError } from '../../base/errors.ts';
import type { TunnelLink } from './tunnel-link.ts';

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
