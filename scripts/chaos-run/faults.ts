import { signalSession } from '../../tests/faults/link-rows.ts';
import type { Stage } from '../../tests/faults/stage.ts';
import { signal } from '../../tests/support/machine/proc.ts';
import type { Ground } from './ground.ts';

/** One kind of fault: it begins, lasts, and ends. */
export interface ChaosFault {
  readonly name: string;
  /** The duration in milliseconds: from, to. */
  readonly lasts: readonly [number, number];
  /** Calls `ground.cut` at each moment at which connections must end: no other connection may be lost. */
  strike(ground: Ground, random: () => number): void | Promise<void>;
  heal?(ground: Ground): void | Promise<void>;
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

/** `heal` of the last fault of a kind. */
const undo = new WeakMap<Stage, () => void | Promise<void>>();
const healed = ({ stage }: Ground) => undo.get(stage)?.();

/** Needs a resolver. */
export const NAME_FREEZES = 'a name freezes a session';

const FLAP_EVERY_MS = 1_500;
/** The keepalive of this run: 5 s × 3. */
const SILENCE_MS = 15_000;
const SLOW_CLIENTS = 3;

function blackHole(name: string, direction?: 'to-server' | 'to-client'): ChaosFault {
  return {
    name: `a session is black-holed${name}`,
    lasts: [500, 4_000],
    strike: ({ stage }, random) => connection(stage, random).pause(direction),
    heal: ({ stage }) => stage.proxy.resume(),
  };
}

export const CHAOS_FAULTS: readonly ChaosFault[] = [
  {
    name: 'a session is killed',
    lasts: AT_ONCE,
    strike: ({ stage, cut }, random) => {
      cut();
      signalSession(stage, anySession(stage, random), 'SIGKILL');
    },
  },
  {
    name: 'all sessions are killed',
    lasts: AT_ONCE,
    strike: ({ stage, cut }) => {
      cut();
      stage.sshd.killSessions();
    },
  },
  {
    name: 'a session is reset',
    lasts: AT_ONCE,
    strike: ({ stage, cut }, random) => {
      cut();
      connection(stage, random).reset();
    },
  },
  {
    name: 'sessions flap',
    lasts: [4_000, 10_000],
    strike: ({ stage, cut }, random) => {
      const kill = () => {
        if (stage.sessionPids().length === 0) return;
        cut();
        signalSession(stage, anySession(stage, random), 'SIGKILL');
      };
      kill();
      const timer = setInterval(kill, FLAP_EVERY_MS);
      undo.set(stage, () => clearInterval(timer));
    },
    heal: healed,
  },
  {
    name: 'a session is frozen',
    lasts: [500, 6_000],
    strike: ({ stage }, random) => {
      const pids = stage.sessionPids()[anySession(stage, random)] ?? [];
      for (const pid of pids) signal(pid, 'SIGSTOP');
      undo.set(stage, () => {
        for (const pid of pids) signal(pid, 'SIGCONT');
      });
    },
    heal: healed,
  },
  blackHole(''),
  blackHole(' towards the server', 'to-server'),
  blackHole(' towards the daemon', 'to-client'),
  {
    name: 'a session is black-holed for longer than the keepalive waits',
    lasts: [SILENCE_MS + 1_000, SILENCE_MS + 2_000],
    strike: ({ stage, cut }, random) => {
      connection(stage, random).pause();
      // Not earlier: a connection that ends before is lost.
      setTimeout(cut, SILENCE_MS - 100);
    },
    heal: ({ stage }) => stage.proxy.resume(),
  },
  {
    name: 'no network for 3 to 14 s',
    lasts: [3_000, 14_000],
    strike: ({ stage }) => stage.proxy.pause(),
    heal: ({ stage }) => stage.proxy.resume(),
  },
  {
    name: NAME_FREEZES,
    lasts: [3_000, 12_000],
    strike: ({ stage, resolver, ask }, random) => {
      if (!resolver) return;
      resolver.hang();
      const left = ask(`frozen${Math.floor(random() * 1e9)}.test`);
      undo.set(stage, () => {
        resolver.heal();
        left();
      });
    },
    heal: healed,
  },
  {
    name: 'a target is slow',
    lasts: AT_ONCE,
    strike: async ({ stage, slow, askSlow }) => {
      await slow.fill();
      const asked = Array.from({ length: SLOW_CLIENTS }, askSlow);
      undo.set(stage, async () => {
        await Promise.all(asked);
        if (slow.accepted() !== SLOW_CLIENTS)
          throw new Error(`the slow target got ${slow.accepted()} connections for ${SLOW_CLIENTS} clients`);
      });
    },
    heal: healed,
  },
  {
    name: 'the host refuses and resets',
    lasts: [200, 3_000],
    strike: async ({ stage, cut }) => {
      await stage.proxy.refuse(true);
      cut();
      stage.proxy.reset();
    },
    heal: ({ stage }) => stage.proxy.refuse(false),
  },
  {
    name: 'sshd is restarted',
    lasts: [200, 2_000],
    strike: ({ stage, cut }) => {
      cut();
      return stage.sshd.stop();
    },
    heal: ({ stage }) => stage.sshd.restart(),
  },
  {
    name: 'the daemon reloads',
    lasts: AT_ONCE,
    strike: ({ stage }) => {
      for (let n = 0; n < 5; n += 1) stage.mesh.daemon.signal('SIGHUP');
    },
  },
];
