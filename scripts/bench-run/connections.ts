import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { startMesh } from '../../tests/support/daemon/mesh.ts';
import { unitNodeOptions } from '../../tests/support/daemon/unit-node-options.ts';
import { residentBytes } from '../../tests/support/machine/daemon-holdings.ts';
import { spawnOwned } from '../../tests/support/machine/owned-process.ts';
import type { Sshd } from '../../tests/support/peers/real-sshd.ts';
import { waitUntil } from '../../tests/support/wait-until.ts';
import { cpuSeconds } from './loads.ts';

/** A daemon that holds very many connections without traffic, all over one session. */
export interface ConnectionFigures {
  /** Connections that were asked for: as many as the limit of open files allows. */
  readonly wanted: number;
  readonly open: number;
  readonly kilobytesEach: number;
  /** CPU while nothing happens, as a part of one core. */
  readonly idleCpu: number;
  readonly statusMs: number;
}

/** Descriptors for everything else in this process and in the daemon. */
const OTHER_FILES = 500;
const AT_ONCE = 100;
const IDLE_SECONDS = 5;

/** A target in a process of its own: this process needs its descriptors for the clients. Answers once, then waits. */
const TARGET = `require('node:net').createServer((socket) => {
  socket.on('error', () => {}).once('data', () => socket.write('+'));
}).listen(0, '127.0.0.1', 4096, function () { console.log(this.address().port); });`;

export async function measureConnections(sshd: Sshd, most: number): Promise<ConnectionFigures> {
  const wanted = Math.min(most, openFilesLimit() - OTHER_FILES);
  await using target = spawnOwned(process.execPath, ['-e', TARGET]);
  const port = Number(await waitUntil('the target listens', () => target.stdout().trim() || undefined));
  await using mesh = await startMesh({
    sshd,
    tunnels: { many: { target: port, max_connections: 65_535 } },
    nodeOptions: unitNodeOptions(),
  });
  await mesh.waitForTunnel('up');
  const { pid } = mesh.daemon;
  const sockets: Socket[] = [];
  const open = async (count: number) => {
    for (let begun = 0; begun < count; begun += AT_ONCE) {
      const batch = Math.min(AT_ONCE, count - begun);
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => answered(mesh.port('many'))))));
    }
  };
  try {
    // The first ones bring the code of the data path into memory.
    await open(Math.min(200, wanted / 2));
    const first = sockets.length;
    const before = residentBytes(pid);
    await open(wanted - first);
    const kilobytesEach = (residentBytes(pid) - before) / (sockets.length - first) / 1_000;
    const cpu = cpuSeconds(pid);
    await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
    const idleCpu = (cpuSeconds(pid) - cpu) / IDLE_SECONDS;
    const from = performance.now();
    const { tunnels } = await mesh.daemon.status();
    const statusMs = performance.now() - from;
    return { wanted, open: tunnels[0]?.usage.open ?? 0, kilobytesEach, idleCpu, statusMs };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function openFilesLimit(): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** A connection over which the target has answered, so that the whole way is open. */
function answered(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', reject);
    socket.once('data', () => resolve(socket.on('error', () => {})));
    socket.write('x');
  });
}
