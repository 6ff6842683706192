import { activeConnection, signalSession } from './link-rows.ts';
import type { FaultRow } from './row.ts';
import { DYNAMIC, JUMP, UNIX, type Way } from './way.ts';

/** Often enough to meet every gap that matters, and the rows share two processors. */
const CLIENT = { everyMs: 50, timeoutMs: 30_000 };

/**
 * The faults that no kind of tunnel is spared. One session of two is a switch whatever goes over it; without any, what is
 * held is served later.
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
    // A peer that sends and does not hear may be given up late, and is not used meanwhile.
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

/** What is said of the others, for the kinds of tunnel that are not the plain one. */
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
