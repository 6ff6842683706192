import { signalSession } from '../../tests/faults/link-rows.ts';
import type { Stage } from '../../tests/faults/stage.ts';
import { signal } from '../../tests/support/machine/proc.ts';

/** One kind of fault: it begins, lasts, and ends. */
export interface ChaosFault {
  readonly name: string;
  /** The duration in milliseconds: from, to. */
  readonly lasts: readonly [number, number];
  strike(stage: Stage, random: () => number): void | Promise<void>;
  heal?(stage: Stage): void | Promise<void>;
}

const AT_ONCE = [0, 0] as const;

function connection({ proxy }: Stage, random: () => number) {
  const all = proxy.connections();
  const one = all[Math.floor(random() * all.length)];
  if (one === undefined) throw new Error('no SSH connection');
  return one;
}

/** The index of a random session: after several losses the second session may still be missing. */
function anySession(stage: Stage, random: () => number): number {
  const { length } = stage.sessionPids();
  if (length === 0) throw new Error('no session');
  return Math.floor(random() * length);
}

const frozen = new WeakMap<Stage, readonly number[]>();

export const CHAOS_FAULTS: readonly ChaosFault[] = [
  {
    name: 'a session is killed',
    lasts: AT_ONCE,
    strike: (stage, random) => signalSession(stage, anySession(stage, random), 'SIGKILL'),
  },
  {
    name: 'all sessions are killed',
    lasts: AT_ONCE,
    strike: ({ sshd }) => void sshd.killSessions(),
  },
  {
    name: 'a session is reset',
    lasts: AT_ONCE,
    strike: (stage, random) => connection(stage, random).reset(),
  },
  {
    name: 'a session is frozen',
    lasts: [500, 3_000],
    strike: (stage, random) => {
      const pids = stage.sessionPids()[anySession(stage, random)] ?? [];
      frozen.set(stage, pids);
      for (const pid of pids) signal(pid, 'SIGSTOP');
    },
    heal: (stage) => {
      for (const pid of frozen.get(stage) ?? []) signal(pid, 'SIGCONT');
    },
  },
  {
    name: 'a session is black-holed',
    lasts: [500, 3_000],
    strike: (stage, random) => connection(stage, random).pause(),
    heal: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'a session is black-holed towards the server',
    lasts: [500, 3_000],
    strike: (stage, random) => connection(stage, random).pause('to-server'),
    heal: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'a session is black-holed towards the daemon',
    lasts: [500, 3_000],
    strike: (stage, random) => connection(stage, random).pause('to-client'),
    heal: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'the host is black-holed',
    lasts: [200, 2_000],
    strike: ({ proxy }) => proxy.pause(),
    heal: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'the host refuses and resets',
    lasts: [200, 3_000],
    strike: async ({ proxy }) => {
      await proxy.refuse(true);
      proxy.reset();
    },
    heal: ({ proxy }) => proxy.refuse(false),
  },
  {
    name: 'sshd is restarted',
    lasts: [200, 2_000],
    strike: ({ sshd }) => sshd.stop(),
    heal: ({ sshd }) => sshd.restart(),
  },
  {
    name: 'the daemon reloads',
    lasts: AT_ONCE,
    strike: ({ mesh }) => {
      for (let n = 0; n < 5; n += 1) mesh.daemon.signal('SIGHUP');
    },
  },
];
