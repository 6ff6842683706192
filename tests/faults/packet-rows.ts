import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { requireProgram } from '../support/machine/find-program.ts';
import type { FaultRow } from './row.ts';
import { DEFAULTS } from './shown-rows.ts';
import type { Stage } from './stage.ts';

/** Sets the rules of this test's network namespace, never those of the machine. */
function nft(...rules: readonly string[]): void {
  const table = `table inet faults { chain input { type filter hook input priority 0; ${rules.join('; ')}; }; }`;
  execFileSync(requireProgram('nft'), ['-f', '-'], { input: `flush ruleset\n${table}\n` });
}

const heal = () => nft('accept');

function activeSession({ proxy }: Stage): { readonly toServer: string; readonly toUs: string } {
  const port = proxy.connections()[0]?.clientPort;
  if (port === undefined) throw new Error('there is no session');
  return {
    toServer: `tcp dport ${proxy.port} tcp sport ${port} drop`,
    toUs: `tcp sport ${proxy.port} tcp dport ${port} drop`,
  };
}

const SWITCHED = {
  during: { linkCode: 'keepalive_lost', withinMs: 10_000 },
  heal,
  recoversWithinMs: 10_000,
  requests: 'are all served',
  slowestBelowMs: 2_000,
  stream: 'is reset',
} as const;

/** Faults where the kernel drops packets, so that no proxy acknowledges undelivered bytes. */
export const PACKET_ROWS: readonly FaultRow[] = [
  {
    fault: 'packets of the active session are dropped both ways',
    inject: (stage) => nft(activeSession(stage).toServer, activeSession(stage).toUs),
    ...SWITCHED,
  },
  {
    fault: 'packets of the active session are dropped towards the server',
    inject: (stage) => nft(activeSession(stage).toServer),
    ...SWITCHED,
  },
  {
    fault: 'packets of the active session are dropped towards us',
    inject: (stage) => nft(activeSession(stage).toUs),
    ...SWITCHED,
  },
  {
    fault: 'all packets of the host are dropped',
    inject: ({ proxy }) => nft(`tcp dport ${proxy.port} drop`, `tcp sport ${proxy.port} drop`),
    during: { tunnel: 'down', linkCode: 'connect_timeout', reason: /did not answer/, withinMs: 10_000 },
    heal,
    recoversWithinMs: 10_000,
    requests: 'may fail',
    stream: 'is reset',
  },
  {
    fault: 'every fiftieth packet is lost',
    inject: ({ proxy }) => nft(`tcp dport ${proxy.port} numgen random mod 50 == 0 drop`),
    during: { link: 'up', tunnel: 'up', withinMs: 2_000 },
    whileBroken: () => pause(4_000),
    heal,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'all packets are dropped for 11 s with the default keepalive, and new clients meanwhile',
    stage: { host: DEFAULTS, echo: { probe: undefined } },
    client: { everyMs: 1_000, timeoutMs: 30_000 },
    inject: ({ proxy }) => nft(`tcp dport ${proxy.port} drop`, `tcp sport ${proxy.port} drop`),
    whileBroken: () => pause(11_000),
    heal,
    // The kernel repeats a lost packet after 200 ms, and then after twice as long each time: here after 12.6 s.
    recoversWithinMs: 4_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'the target is black-holed',
    inject: ({ echo }) => nft(`tcp dport ${echo.port} drop`),
    during: { link: 'up', tunnel: 'degraded', tunnelCode: 'target_unreachable', withinMs: 10_000 },
    heal,
    recoversWithinMs: 10_000,
    requests: 'may fail',
    stream: 'survives',
  },
  {
    fault: 'the target is slow to accept',
    // The first SYN is lost: the kernel repeats it after a second.
    stage: { host: { connect_timeout: '5s' }, echo: { probe: undefined } },
    client: { everyMs: 500, timeoutMs: 10_000 },
    inject: ({ echo }) => nft(`tcp dport ${echo.port} tcp flags syn / syn,ack numgen inc mod 2 == 0 drop`),
    during: { link: 'up', tunnel: 'up', withinMs: 2_000 },
    whileBroken: () => pause(4_000),
    heal: async ({ mesh }) => {
      if ((await mesh.metric('link_hedged_opens_total')) > 0) throw new Error('it asked a slow target twice');
      heal();
    },
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'survives',
  },
];
