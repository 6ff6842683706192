import { Agenda } from './agenda.ts';
import type { Clients, Failure } from './clients.ts';
import { Server, type ServerOptions } from './server.ts';

/** The return of a fleet after a restart of its sshd. Times in seconds since the restart. */
export interface Storm {
  readonly clients: string;
  readonly nodes: number;
  /** When 99 % of the nodes had a session; undefined: not within the time of the simulation. */
  readonly backSeconds: number | undefined;
  /** Most connections in a second while sshd listened. */
  readonly peakPerSecond: number;
  /** Most connections in a second while nobody listened. */
  readonly peakRefusedPerSecond: number;
  /** Connections for each login that succeeded. */
  readonly attemptsPerLogin: number;
  /** Nodes with a session at the end of each second. */
  readonly back: readonly number[];
  /** Connections in each second. */
  readonly arrivals: readonly number[];
}

const WANTED_SHARE = 0.99;
/** An entry of the agenda is a node number times this, plus what happens to the node. */
const KINDS = 5;
const ATTEMPT = 0;
const SYN = 1;
const LOGIN = 2;
const FAILED = 3;
const TOO_SLOW = 4;

export interface StormOptions {
  readonly nodes: number;
  readonly server: ServerOptions;
  /** The simulation ends here, in milliseconds. */
  readonly untilMs: number;
  /** The nodes notice the loss within this time, in milliseconds: the reset of the connections of a killed sshd. */
  readonly noticeMs: number;
  readonly random: () => number;
  /** Called now and then; true ends the simulation: a large one takes minutes. */
  readonly enough?: () => boolean;
}

/** So many entries are handled between two looks at {@link StormOptions.enough}. */
const LOOK_EVERY = 50_000;

/** Simulates until all nodes have all their sessions, or the time is over. Replaces the monotonic clock of this process meanwhile. */
export function simulateStorm(
  { nodes, server: options, untilMs, noticeMs, random, enough }: StormOptions,
  clients: Clients,
): Storm {
  const agenda = new Agenda();
  const server = new Server(options, random);
  const sessions = new Uint8Array(nodes);
  /** When the current attempt began, and the SYNs that it sent. */
  const begunAt = new Float64Array(nodes);
  const syns = new Uint8Array(nodes);
  const arrivals: number[] = [];
  const back: number[] = [];
  let up = 0;
  let logins = 0;
  let complete = 0;
  let handled = 0;
  let backSeconds: number | undefined;

  const later = (waitMs: number, kind: number, node: number) => agenda.add(agenda.now + waitMs, node * KINDS + kind);
  const fail = (node: number, why: Failure) => later(clients.failed(node, why, agenda.now), ATTEMPT, node);
  const pendingFailures = new Map<number, Failure>();

  const syn = (node: number) => {
    const { now } = agenda;
    const second = Math.floor(now / 1_000);
    arrivals[second] = (arrivals[second] ?? 0) + 1;
    const fate = server.connect(node, now);
    if (fate.kind === 'login') {
      if (fate.at - now <= clients.loginTimeoutMs) return later(fate.at - now, LOGIN, node);
      return later(clients.loginTimeoutMs, TOO_SLOW, node);
    }
    if (fate.kind !== 'lost') {
      pendingFailures.set(node, fate.kind);
      return later(fate.at - now, FAILED, node);
    }
    // tcp(7): a SYN is sent again after 1, 3, 7, 15 s and so on.
    const tried = (syns[node] ?? 0) + 1;
    syns[node] = tried;
    const againAt = (begunAt[node] ?? 0) + (2 ** tried - 1) * 1_000;
    const expiresAt = (begunAt[node] ?? 0) + clients.connectTimeoutMs;
    if (againAt < expiresAt) return agenda.add(againAt, node * KINDS + SYN);
    pendingFailures.set(node, 'unreachable');
    agenda.add(expiresAt, node * KINDS + FAILED);
  };

  const handle = (entry: number): boolean => {
    if (++handled % LOOK_EVERY === 0 && enough?.()) return false;
    const node = Math.floor(entry / KINDS);
    switch (entry % KINDS) {
      case ATTEMPT: {
        const rest = clients.begins(node, agenda.now);
        if (rest > 0) later(rest, ATTEMPT, node);
        else {
          begunAt[node] = agenda.now;
          syns[node] = 0;
          syn(node);
        }
        break;
      }
      case SYN:
        syn(node);
        break;
      case LOGIN: {
        server.loggedIn();
        logins++;
        const had = sessions[node] ?? 0;
        sessions[node] = had + 1;
        if (had === 0) up++;
        const wait = clients.succeeded(node, agenda.now);
        if (had + 1 < clients.sessions) later(wait, ATTEMPT, node);
        else complete++;
        const second = Math.floor(agenda.now / 1_000);
        back[second] = up;
        if (up >= WANTED_SHARE * nodes) backSeconds ??= agenda.now / 1_000;
        return complete < nodes;
      }
      case TOO_SLOW:
        server.gaveUp(node, agenda.now);
        fail(node, 'unreachable');
        break;
      default: {
        const why = pendingFailures.get(node) ?? 'dropped';
        pendingFailures.delete(node);
        fail(node, why);
      }
    }
    return true;
  };

  const realNow = performance.now;
  performance.now = () => agenda.now;
  try {
    for (let node = 0; node < nodes; node++) later(clients.lost(node, 0) + noticeMs * random(), ATTEMPT, node);
    agenda.run(untilMs, handle);
  } finally {
    performance.now = realNow;
  }
  const outageS = options.outageMs / 1_000;
  const seconds = Array.from({ length: Math.ceil(agenda.now / 1_000) }, (_, second) => arrivals[second] ?? 0);
  return {
    clients: clients.name,
    nodes,
    backSeconds,
    peakPerSecond: Math.max(0, ...seconds.filter((_, second) => second >= outageS)),
    peakRefusedPerSecond: Math.max(0, ...seconds.filter((_, second) => second < outageS)),
    attemptsPerLogin: seconds.reduce((sum, count) => sum + count, 0) / Math.max(1, logins),
    back: filled(back, seconds.length),
    arrivals: seconds,
  };
}

/** A second without a login has the count of the second before. */
function filled(counts: readonly (number | undefined)[], length: number): number[] {
  let last = 0;
  return Array.from({ length }, (_, second) => {
    last = counts[second] ?? last;
    return last;
  });
}
