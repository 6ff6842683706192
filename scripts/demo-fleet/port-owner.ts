import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { listen } from '../../tests/support/peers/loopback.ts';

/** Rejects if a port is in use, and names the process. The demo uses the real ports, so it cannot choose others. */
export async function requireFreePorts(ports: readonly number[]): Promise<void> {
  const taken: string[] = [];
  for (const port of ports) if (!(await isFree(port))) taken.push(`127.0.0.1:${port} is in use by ${ownerOf(port)}`);
  if (taken.length > 0)
    throw new Error(`${taken.join('\n      ')}\n      Stop that process (or the other demo) and try again.`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listen(server, port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** The process that listens on a local port, if /proc shows it. */
function ownerOf(port: number): string {
  try {
    const sockets = ['tcp', 'tcp6'].flatMap((table) => listenerInodes(table, port));
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      if (holdsOneOf(pid, sockets)) {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return `process ${pid} (${command})`;
      }
    }
  } catch {
    // Without /proc the process stays unknown.
  }
  return 'an unknown process, perhaps of another user; as root, find it with `ss -ltnp`';
}

/** Columns of /proc/net/tcp: local address in hex is the second, state the fourth (0A: listening), inode the tenth. */
function listenerInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(`/proc/net/${table}`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) && columns[3] === '0A')
    .map((columns) => `socket:[${columns[9]}]`);
}

function holdsOneOf(pid: string, sockets: readonly string[]): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return sockets.includes(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
