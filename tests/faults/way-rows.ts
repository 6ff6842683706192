import { activeConnection, signalSession } from './link-rows.ts';
import type { FaultRow } from './row.ts';
import { DYNAMIC, JUMP, UNIX, type Way } from './way.ts';

/** Frequent enough to detect every gap, without loading the machine too much. */
const CLIENT = { everyMs: 50, timeoutMs: 30_000 };

/**
 * The faults for every kind of tunnel. With one session lost, the other serves. With both lost, held clients are served
 * later.
 */
function faultsOf(kind: string, way: Way, stream: FaultRow['stream'], to = 'coulombcore'): FaultRow[] {
  const common = {
    stage: { way },
    client: CLIENT,
    recoversWithinMs: 10_000,
    requests: 'are all served',
    stream,
  } as const;
  const blackHoled = (where: string, direction?: 'to-server' | 'to-client'): FaultRow => ({
    ...common,
    fault: `${kind}: the active session is black-holed ${where}`,
    inject: (stage) => activeConnection(stage).pause(direction),
    // A peer that sends but does not receive may be given up late, and is not used until then.
    during: { to, linkCode: 'keepalive_lost', withinMs: direction === 'to-server' ? 26_000 : 10_000 },
  });
  return [
    {
      ...common,
      fault: `${kind}: the active session is killed (kill -9)`,
      inject: (stage) => signalSession(stage, 0, 'SIGKILL'),
      during: { to, linkCode: 'connection_reset', withinMs: 3_000 },
    },
    blackHoled('both ways'),
    blackHoled('towards the server', 'to-server'),
    blackHoled('towards us', 'to-client'),
    {
      ...common,
      fault: `${kind}: sshd is stopped and started`,
      inject: ({ sshd }) => sshd.stop(),
      during: {
        to,
        linkCode: 'connection_reset',
        tunnel: 'down',
        reason: /no SSH session to coulombcore/,
        withinMs: 5_000,
      },
      heal: ({ sshd }) => sshd.restart(),
    },
  ];
}

const overJump = faultsOf('jump host', JUMP, 'is reset', 'bastion');

/** The common faults for all kinds of tunnel other than local. */
export const WAY_ROWS: readonly FaultRow[] = [
  ...faultsOf('dynamic', DYNAMIC, 'is reset'),
  ...faultsOf('Unix sockets', UNIX, 'is cut'),
  ...overJump,
  {
    fault: 'jump host: the sshd behind it is stopped and started',
    stage: { way: JUMP },
    client: CLIENT,
    inject: ({ lastHop }) => lastHop.stop(),
    during: {
      linkCode: 'connect_refused',
      tunnel: 'down',
      reason: /refused the connection from jump host bastion/,
      withinMs: 5_000,
    },
    heal: ({ lastHop }) => lastHop.restart(),
    recoversWithinMs: 10_000,
    requests: 'are all served',
    stream: 'is reset',
  },
];
