import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The processes among these that listen on the TCP port (IPv4), from /proc. */
export function listenersOn(port: number, pids: readonly number[]): number[] {
  const wanted = new Set(
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      // proc_pid_net(5): local address, state (0A: LISTEN), inode.
      .filter(([, local = '', , state]) => state === '0A' && Number.parseInt(local.split(':')[1] ?? '', 16) === port)
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return pids.filter((pid) => socketsOf(pid).some((socket) => wanted.has(socket)));
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
