import { connect, type Socket } from 'node:net';
import { residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import type { Way } from './ways.ts';

/** The memory of an open connection without traffic, in KB: the growth of the process over so many connections. */
export async function idleConnectionKilobytes(way: Way, connections: number): Promise<number> {
  if (way.pid === undefined) return Number.NaN;
  const before = residentBytes(way.pid);
  const sockets: Socket[] = [];
  try {
    while (sockets.length < connections) {
      const batch = Math.min(50, connections - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => answered(way.ports.store)))));
    }
    return (residentBytes(way.pid) - before) / connections / 1000;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** A connection over which redis has answered once, so that the whole way is open. */
function answered(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', reject);
    socket.once('data', () => resolve(socket.on('error', () => {})));
    socket.write('PING\r\n');
  });
}
