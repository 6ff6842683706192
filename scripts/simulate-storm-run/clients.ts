import { TunnelError } from '../../src/base/errors.ts';
import { Pacer } from '../../src/tunnels/link/pacer.ts';
import { Retry } from '../../src/tunnels/link/retry.ts';
import { ATTEMPT_SPACING_MS } from '../../src/tunnels/tunnel/link-table.ts';

/** How one kind of client comes back. All times in milliseconds; `now` is the simulated time. */
export interface Clients {
  readonly name: string;
  /** SSH sessions that a node wants. */
  readonly sessions: number;
  /** A SYN without an answer ends the attempt after this long. */
  readonly connectTimeoutMs: number;
  /** A login that takes longer is given up. */
  readonly loginTimeoutMs: number;
  /** The node lost its session: the wait before the first attempt. */
  lost(node: number, now: number): number;
  /** An attempt begins; the wait is over, or a further wait, which is asked for again at its end. */
  begins(node: number, now: number): number;
  /** The attempt failed: the wait before the next one. */
  failed(node: number, why: Failure, now: number): number;
  /** The attempt succeeded: the wait before the attempt for the next session, if one is missing. */
  succeeded(node: number, now: number): number;
}

export type Failure = 'refused' | 'dropped' | 'penalised' | 'unreachable';

/** The errors that the real handshake gives for these failures. */
const ERRORS: Readonly<Record<Failure, TunnelError>> = {
  refused: new TunnelError('connect_refused', 'refused'),
  dropped: new TunnelError('connection_reset', 'Exceeded MaxStartups'),
  penalised: new TunnelError('penalised', 'Not allowed at this time'),
  unreachable: new TunnelError('connect_timeout', 'no answer'),
};
const LOST = new TunnelError('connection_reset', 'sshd has restarted');

/** The session before the restart had been up for this long. */
const LASTED_MS = 3_600_000;

export interface FleetMeshOptions {
  readonly nodes: number;
  readonly sessions: number;
  readonly random: () => number;
}

/** The real retry loop of a link, one for each node. Needs the simulated clock behind `performance.now`. */
export function fleetMesh({ nodes, sessions, random }: FleetMeshOptions): Clients {
  const retries = Array.from({ length: nodes }, () => new Retry(random));
  const pacers = Array.from({ length: nodes }, () => new Pacer(ATTEMPT_SPACING_MS));
  /** When the pacer gave the node its turn; NaN while none is given. */
  const turnAt = new Float64Array(nodes).fill(Number.NaN);
  const of = (node: number): Retry => {
    const retry = retries[node];
    if (!retry) throw new RangeError(`there is no node ${node}`);
    return retry;
  };
  const remaining = (node: number) => Math.max(0, of(node).remainingMs(false));
  return {
    name: 'fleet-mesh',
    sessions,
    connectTimeoutMs: 10_000,
    loginTimeoutMs: 10_000,
    lost: (node) => {
      of(node).begin();
      of(node).succeeded();
      of(node).lost(LOST, LASTED_MS, false);
      return remaining(node);
    },
    begins: (node, now) => {
      // As the loop of a link: looks again after each wait, and then takes its turn at the pacer.
      const given = turnAt[node] ?? Number.NaN;
      if (Number.isNaN(given)) {
        const rest = remaining(node);
        if (rest > 0) return rest;
        turnAt[node] = pacers[node]?.reserve(now) ?? now;
      }
      if ((turnAt[node] ?? now) > now) return (turnAt[node] ?? now) - now;
      turnAt[node] = Number.NaN;
      of(node).begin();
      return 0;
    },
    failed: (node, why) => {
      of(node).failed(ERRORS[why], false);
      return remaining(node);
    },
    succeeded: (node) => {
      of(node).succeeded();
      return remaining(node);
    },
  };
}

/** `ssh -N` under systemd with `Restart=always`, `RestartSec=5`: no jitter but the start of a process. */
export function fixedRestart(seconds: number, random: () => number): Clients {
  const wait = () => seconds * 1_000 + 100 * random();
  return {
    name: `ssh, restarted after ${seconds} s`,
    sessions: 1,
    connectTimeoutMs: 127_000,
    // LoginGraceTime of sshd.
    loginTimeoutMs: 120_000,
    lost: wait,
    begins: () => 0,
    failed: wait,
    succeeded: () => 0,
  };
}

/** autossh begins to wait after so many fast failures, as `grace_time` of autossh 1.4. */
const FAST_TRIES = 5;
const POLL_S = 600;

/** autossh: restarts at once five times, then after 2, 8, 18, 32 s and so on. */
export function autossh(nodes: number, random: () => number): Clients {
  const tries = new Uint16Array(nodes);
  const wait = (node: number) => {
    const tried = (tries[node] ?? 0) + 1;
    tries[node] = tried;
    const over = tried - FAST_TRIES;
    const grace = over > 0 ? Math.min(POLL_S, Math.floor((POLL_S / 100) * (over * (over / 3)))) : 0;
    return grace * 1_000 + 50 + 50 * random();
  };
  return {
    name: 'autossh',
    sessions: 1,
    connectTimeoutMs: 127_000,
    // LoginGraceTime of sshd.
    loginTimeoutMs: 120_000,
    lost: () => 50 + 50 * random(),
    begins: () => 0,
    failed: wait,
    succeeded: () => 0,
  };
}
