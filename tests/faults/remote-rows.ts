import { echoOnce } from '../support/clients/steady-client.ts';
import { listenersOn } from '../support/machine/port-owner.ts';
import { signal } from '../support/machine/proc.ts';
import { type LoopbackServer, listenLoopback } from '../support/peers/loopback.ts';
import { activeConnection, signalSession } from './link-rows.ts';
import type { FaultRow } from './row.ts';
import type { Stage } from './stage.ts';
import { REMOTE } from './way.ts';

const strangers = new WeakMap<Stage, LoopbackServer>();

/** A remote tunnel's probe takes twice as long as others. */
const THERE_AND_BACK = { tcp: {}, every: '1500ms', timeout: '1500ms', fall: 2, rise: 1 };

/** The clients connect to sshd. While nothing listens on the host, sshd's machine refuses them and nothing can hold them. */
const FAR = {
  stage: { way: REMOTE, echo: { probe: THERE_AND_BACK } },
  client: { everyMs: 50, timeoutMs: 3_000 },
  recoversWithinMs: 10_000,
  requests: 'may fail',
  stream: 'is cut',
} as const;

/** sshd does not notice that the session is gone, and keeps listening for it. */
const GHOST = {
  link: 'up',
  tunnel: 'down',
  tunnelCode: 'remote_listen_in_use',
  reason: /is still held, probably by our own lost session/,
  withinMs: 10_000,
} as const;

/** Ends the dead session, as ClientAliveInterval does later on a real host. */
function endGhost({ sshd, mesh }: Stage): void {
  for (const pid of new Set(['echo', 'stream'].flatMap((name) => listenersOn(mesh.port(name), sshd.sessionPids()))))
    signal(pid, 'SIGKILL');
}

async function startStranger(stage: Stage, port: number): Promise<LoopbackServer> {
  const stranger = await listenLoopback((socket) => socket.destroy(), { port });
  strangers.set(stage, stranger);
  return stranger;
}

const late = ({ echo }: Stage, listen: number) => ({ direction: 'remote', target: echo.port, listen });

/** Faults of remote tunnels (RFC 4254 section 7): one session holds the listener, on the host. */
export const REMOTE_ROWS: readonly FaultRow[] = [
  {
    ...FAR,
    fault: 'remote: the port is taken by a stranger',
    inject: async (stage) => {
      const { port } = await startStranger(stage, 0);
      await stage.mesh.write({ tunnels: { ...stage.tunnels, late: late(stage, port) } });
      await stage.mesh.reload();
    },
    during: { link: 'up', tunnel: 'up', reloaded: true, withinMs: 3_000 },
    whileBroken: async ({ mesh }) => {
      const { reason } = await mesh.waitForDown('remote_listen_in_use', 'late');
      if (!/^another listener holds/.test(reason ?? '')) throw new Error(`it says: ${reason}`);
    },
    heal: async (stage) => {
      await strangers.get(stage)?.stop();
      // By itself the daemon retries after half a minute; a reload makes it retry at once.
      await stage.mesh.reload();
      await stage.mesh.waitForTunnel('up', 'late', 5_000);
      await echoOnce(stage.mesh.port('late'));
      await stage.mesh.write({ tunnels: stage.tunnels });
      await stage.mesh.reload();
    },
    requests: 'are all served',
    stream: 'survives',
  },
  {
    ...FAR,
    fault: 'remote: the port is taken by a stranger while sshd is away',
    inject: async (stage) => {
      await stage.sshd.stop();
      await startStranger(stage, stage.mesh.port('echo'));
      await stage.sshd.restart();
    },
    during: { link: 'up', tunnel: 'down', tunnelCode: 'remote_listen_in_use', withinMs: 8_000 },
    heal: async (stage) => strangers.get(stage)?.stop(),
  },
  {
    ...FAR,
    fault: 'remote: the session that listens is killed (kill -9)',
    inject: (stage) => signalSession(stage, 0, 'SIGKILL'),
    during: { linkCode: 'connection_reset', withinMs: 3_000 },
  },
  {
    ...FAR,
    fault: 'remote: the other session is killed (kill -9)',
    inject: (stage) => signalSession(stage, 1, 'SIGKILL'),
    during: { link: 'up', linkCode: 'connection_reset', tunnel: 'up', withinMs: 3_000 },
    client: { everyMs: 50, timeoutMs: 30_000 },
    requests: 'are all served',
    stream: 'survives',
  },
  {
    ...FAR,
    fault: 'remote: the session that listens is black-holed both ways, and its ghost holds the port',
    inject: (stage) => activeConnection(stage).pause(),
    during: GHOST,
    heal: endGhost,
  },
  {
    ...FAR,
    fault: 'remote: the session that listens is black-holed towards the server, and its ghost holds the port',
    inject: (stage) => activeConnection(stage).pause('to-server'),
    // The session still reports its clients, but gets no answer: that is a loss after 16 times the silence, here 48 s.
    during: { ...GHOST, withinMs: 70_000 },
    heal: endGhost,
  },
  {
    ...FAR,
    fault: 'remote: the session that listens is black-holed towards us',
    inject: (stage) => activeConnection(stage).pause('to-client'),
    during: { linkCode: 'keepalive_lost', withinMs: 10_000 },
  },
  {
    ...FAR,
    fault: 'remote: sshd is stopped and started',
    inject: ({ sshd }) => sshd.stop(),
    during: { linkCode: 'connection_reset', tunnel: 'down', reason: /no SSH session to coulombcore/, withinMs: 5_000 },
    heal: ({ sshd }) => sshd.restart(),
  },
];
