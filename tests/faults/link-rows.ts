import { signal } from '../support/machine/proc.ts';
import type { FaultRow } from './row.ts';
import type { Stage } from './stage.ts';

const REPLACED = { linkCode: 'connection_reset', withinMs: 3_000 } as const;
const GIVEN_UP = { linkCode: 'keepalive_lost', withinMs: 5_000 } as const;

/** Sends a signal to the processes of one session; 0 is the active one. */
export function signalSession(stage: Stage, session: number, name: NodeJS.Signals): void {
  const pids = stage.sessionPids()[session];
  if (pids === undefined) throw new Error(`there is no session ${session}`);
  for (const pid of pids) signal(pid, name);
}

export function activeConnection({ proxy }: Stage) {
  const [first] = proxy.connections();
  if (first === undefined) throw new Error('there is no connection');
  return first;
}

/** One session is lost and the other one serves: no outage. */
export const SWITCH_ROWS: readonly FaultRow[] = [
  {
    fault: 'the active session is killed (kill -9)',
    inject: (stage) => signalSession(stage, 0, 'SIGKILL'),
    during: REPLACED,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
  {
    fault: 'the standby session is killed (kill -9)',
    inject: (stage) => signalSession(stage, 1, 'SIGKILL'),
    during: REPLACED,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'survives',
  },
  {
    fault: 'the sshd child of the active session is frozen (SIGSTOP)',
    inject: (stage) => signalSession(stage, 0, 'SIGSTOP'),
    during: GIVEN_UP,
    heal: (stage) => signalSession(stage, 0, 'SIGCONT'),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
  {
    fault: 'the active session is black-holed both ways',
    inject: (stage) => activeConnection(stage).pause(),
    during: GIVEN_UP,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
  {
    fault: 'the active session is black-holed towards the server',
    inject: (stage) => activeConnection(stage).pause('to-server'),
    during: { ...GIVEN_UP, withinMs: 10_000 },
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
  {
    fault: 'the active session is black-holed towards us',
    inject: (stage) => activeConnection(stage).pause('to-client'),
    during: GIVEN_UP,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
  {
    fault: 'the active session is reset (RST)',
    inject: (stage) => activeConnection(stage).reset(),
    during: REPLACED,
    recoversWithinMs: 5_000,
    requests: 'are all served',
    slowestBelowMs: 2_000,
    stream: 'is reset',
  },
];
