import { readdirSync, readlinkSync } from 'node:fs';
import { listeningSockets } from './listening-sockets.ts';

/** The processes among these that listen on the TCP port (IPv4), from /proc. */
export function listenersOn(port: number, pids: readonly number[]): number[] {
  const wanted = new Set(
    listeningSockets('self', ['tcp']).flatMap((socket) => (socket.port === port ? [`socket:[${socket.inode}]`] : [])),
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
