import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Mesh } from '../daemon/mesh.ts';
import { waitUntil } from '../wait-until.ts';
import { listeningSockets } from './listening-sockets.ts';
import { descendantsOf } from './proc.ts';

/** The resources of a daemon, by the kernel and by its own status. */
export interface DaemonHoldings {
  /** What its open descriptors are, such as `socket:[4711]`. */
  readonly descriptors: readonly string[];
  readonly fds: number;
  /** Listening sockets of the daemon. */
  readonly listeners: number;
  readonly children: number;
  /** Client connections open and held, over all tunnels. */
  readonly open: number;
  readonly held: number;
  readonly sessions: number;
  /** Open channels of all sessions. */
  readonly channels: number;
}

export async function daemonHoldings(mesh: Mesh): Promise<DaemonHoldings> {
  const status = await mesh.daemon.status();
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const sessions = status.links.flatMap((link) => link.sessions);
  const { pid } = mesh.daemon;
  return {
    ...openSockets(pid),
    children: descendantsOf(pid).length,
    open: sum(status.tunnels.map(({ usage }) => usage.open)),
    held: sum(status.tunnels.map(({ usage }) => usage.held)),
    sessions: sessions.length,
    channels: sum(sessions.map(({ connections }) => connections)),
  };
}

/** Waits until the daemon holds no more than the baseline. Throws with the differences after a timeout. */
export async function expectNothingLeaked(mesh: Mesh, baseline: DaemonHoldings, ms = 30_000): Promise<void> {
  let left: string[] = [];
  await waitUntil(
    'the daemon holds what it held before the fault',
    async () => {
      const now = await daemonHoldings(mesh);
      left = Object.entries(now).flatMap(([kind, held]) => {
        const before = baseline[kind as keyof DaemonHoldings];
        return typeof held === 'number' && held > Number(before) ? [`${kind}: ${held} instead of ${before}`] : [];
      });
      return left.length === 0;
    },
    ms,
    () => `${left.join(', ')}\nbefore: ${baseline.descriptors}\nnow: ${descriptorsOf(mesh.daemon.pid)}`,
  );
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** Processor time of a process so far, in seconds. */
export function processorSeconds(pid: number): number {
  // The name of the program, in parentheses, may contain spaces. Linux counts in hundredths of a second.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function openSockets(pid: number): Pick<DaemonHoldings, 'descriptors' | 'fds' | 'listeners'> {
  const descriptors = descriptorsOf(pid);
  const listening = new Set(listeningSockets(pid).map(({ inode }) => inode));
  const inodes = descriptors.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
  const listeners = inodes.filter((inode) => listening.has(inode)).length;
  return { descriptors, fds: descriptors.length, listeners };
}

/** What the open descriptors of a process are, such as `socket:[4711]`. */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
