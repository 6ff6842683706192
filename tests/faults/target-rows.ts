import { startEcho } from '../support/peers/targets.ts';
import type { FaultRow } from './row.ts';

/** Faults where the link is up, but the server or the target refuses. */
export const TARGET_ROWS: readonly FaultRow[] = [
  {
    fault: 'the target refuses connections',
    inject: ({ echo }) => echo.stop(),
    during: {
      link: 'up',
      tunnel: 'degraded',
      tunnelCode: 'target_refused',
      reason: /refused the connection/,
      withinMs: 3_000,
    },
    heal: async (stage) => {
      stage.echo = await startEcho(stage.echo.port);
    },
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'survives',
  },
  {
    fault: 'AllowTcpForwarding no',
    inject: ({ sshd }) => sshd.restart({ extraConfig: ['AllowTcpForwarding no'] }),
    during: {
      link: 'up',
      tunnel: 'degraded',
      tunnelCode: 'forward_denied',
      reason: /the server forbids a channel to/,
      withinMs: 8_000,
    },
    heal: ({ sshd }) => sshd.restart({ extraConfig: [] }),
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'PermitOpen names another target',
    inject: ({ sshd }) => sshd.restart({ extraConfig: ['PermitOpen 127.0.0.1:9'] }),
    during: { link: 'up', tunnel: 'degraded', tunnelCode: 'forward_denied', withinMs: 8_000 },
    heal: ({ sshd }) => sshd.restart({ extraConfig: [] }),
    recoversWithinMs: 5_000,
    requests: 'may fail',
    stream: 'is reset',
  },
];
