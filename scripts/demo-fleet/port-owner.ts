import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { listen } from '../../tests/support/peers/loopback.ts';

/** Fails with the name of whoever holds one of the ports: the demo's ports are the real ones, so it cannot take others. */
export async function requireFreePorts(ports: readonly number[]): Promise<void> {
  const taken: string[] = [];
  for (const port of ports) if (!(await isFree(port))) taken.push(`127.0.0.1:${port} is taken by ${ownerOf(port)}`);
  if (taken.length > 0) throw new Error(`${taken.join('\n      ')}\n      Stop it (or the other demo) and try again.`);
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

/** Process of the listener on a local port, as far as /proc lets us see it. */
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
    // No /proc here: then there is nothing to be known.
  }
  return "a process that we may not look into (another user's?); as root, `ss -ltnp` names it";
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
