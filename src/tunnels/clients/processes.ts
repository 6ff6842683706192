import { type Dir, opendirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { printable } from '../../base/text/printable.ts';
import { type Membership, membershipOf } from './cgroup.ts';

/** A process that holds a socket. */
export interface Holder extends Membership {
  readonly pid: number;
  readonly process: string;
}

/** Which other processes this process may see (ptrace(2), "Ptrace access mode checking"). */
export interface Sight {
  /** The descriptors of all users: this needs the right to trace processes and to open their directories. */
  readonly everybody: boolean;
  readonly uid: number;
}

/** By their bits in capabilities(7). */
const DAC_OVERRIDE = 1n;
const DAC_READ_SEARCH = 2n;
const SYS_PTRACE = 19n;

/** The text of /proc/self/FILE; empty if unreadable. */
export function readOwn(file: string): string {
  try {
    return readFileSync(`/proc/self/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** The sight of this process, from the text of /proc/self/status. Pure. */
export function sightOf(status: string, uid: number): Sight {
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: bigint) => ((capabilities >> bit) & 1n) === 1n;
  return { everybody: has(SYS_PTRACE) && (has(DAC_READ_SEARCH) || has(DAC_OVERRIDE)), uid };
}

/** The name in /proc/PID/comm, which the process may have set to any text. Pure. */
export function processName(comm: string): string {
  return printable(comm.replace(/\n$/, ''), 64);
}

/** The sockets to find: the uid by the inode. A search removes found sockets. */
export type Wanted = Map<string, number>;
export type OnFound = (inode: string, holder: Holder) => void;

/**
 * Searches these processes for the wanted sockets. Each step makes one or two system calls of some microseconds.
 */
export function* searchAmong(pids: Iterable<number>, wanted: Wanted, onFound: OnFound): Generator<void, void> {
  for (const pid of pids) {
    for (const fd of entriesOf(`/proc/${pid}/fd`)) {
      const inode = socketAt(pid, fd);
      if (inode !== undefined && wanted.has(inode)) {
        const holder = describe(pid);
        // Another process may have the pid by now.
        if (holder !== undefined && socketAt(pid, fd) === inode) {
          wanted.delete(inode);
          onFound(inode, holder);
          if (wanted.size === 0) return;
        }
      }
      yield;
    }
    yield;
  }
}

/** Searches all visible processes, the most probable first. */
export function* searchAll(
  known: ReadonlySet<number>,
  sight: Sight,
  wanted: Wanted,
  onFound: OnFound,
): Generator<void, void> {
  yield* searchAmong(yield* candidates(new Set(wanted.values()), known, sight), wanted, onFound);
}

/**
 * Earlier clients first, then processes of the sockets' users, then the youngest; last this process, with all its
 * sockets.
 */
function* candidates(
  uids: ReadonlySet<number>,
  known: ReadonlySet<number>,
  sight: Sight,
): Generator<void, readonly number[]> {
  const ranked: { readonly pid: number; readonly rank: number }[] = [];
  for (const name of entriesOf('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const uid = ownerOf(pid);
    if (uid !== undefined && (sight.everybody || uid === sight.uid)) {
      const rank = pid === process.pid ? 3 : known.has(pid) ? 0 : uids.has(uid) ? 1 : 2;
      ranked.push({ pid, rank });
    }
    yield;
  }
  return ranked.sort((a, b) => a.rank - b.rank || b.pid - a.pid).map(({ pid }) => pid);
}

function ownerOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  } catch {
    return undefined;
  }
}

/** Reads a directory piece by piece: a machine may have many processes, and a process a million descriptors. */
function* entriesOf(path: string): Generator<string> {
  let directory: Dir | undefined;
  try {
    directory = opendirSync(path);
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) yield entry.name;
  } catch {
    // Not allowed, or the process ended.
  } finally {
    directory?.closeSync();
  }
}

function socketAt(pid: number, fd: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

function describe(pid: number): Holder | undefined {
  try {
    return {
      pid,
      process: processName(readFileSync(`/proc/${pid}/comm`, 'utf8')),
      ...membershipOf(readFileSync(`/proc/${pid}/cgroup`, 'utf8')),
    };
  } catch {
    return undefined;
  }
}
