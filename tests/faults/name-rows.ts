import { writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Server } from 'node:net';
import { join } from 'node:path';
import type { LoopbackServer } from '../support/peers/loopback.ts';
import { startSilent } from '../support/peers/targets.ts';
import { signalSession } from './link-rows.ts';
import type { FaultRow } from './row.ts';
import type { Stage, StageOptions } from './stage.ts';

const NAME = 'coulombcore.fleet-mesh.test';

/** In its own mount namespace, the daemon sees this file as /etc/hosts, and no name server. */
const hostsFile = (directory: string) => join(directory, 'hosts');

function resolveTo({ sshd }: Stage, ...addresses: readonly string[]): void {
  writeFileSync(hostsFile(sshd.directory), `${addresses.map((address) => `${address} ${NAME}`).join('\n')}\n`);
}

const NAMED: StageOptions = {
  host: { address: NAME },
  wrapper: (directory) => {
    writeFileSync(hostsFile(directory), `127.0.0.1 ${NAME}\n`);
    writeFileSync(join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    const mounts = 'mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv.conf" /etc/resolv.conf';
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `${mounts} && exec "$@"`, directory];
  },
};

const newHomes = new WeakMap<Stage, Server>();
const silents = new WeakMap<Stage, LoopbackServer>();

/** The same sshd at another address. */
async function openNewHome(stage: Stage): Promise<void> {
  const { proxy, sshd } = stage;
  const server = createServer((socket) => {
    const far = dial({ host: '127.0.0.1', port: sshd.port });
    socket.on('error', () => far.destroy()).once('close', () => far.destroy());
    far.on('error', () => socket.destroy()).once('close', () => socket.destroy());
    socket.pipe(far).pipe(socket);
  });
  newHomes.set(stage, server);
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.2', port: proxy.port }, resolve));
}

export const NAME_ROWS: readonly FaultRow[] = [
  {
    fault: 'the name cannot be resolved for a while',
    needs: ['root'],
    stage: NAMED,
    inject: (stage) => {
      resolveTo(stage);
      stage.proxy.reset();
    },
    during: { tunnel: 'down', linkCode: 'dns_failed', reason: /cannot be resolved|was not resolved/, withinMs: 5_000 },
    heal: (stage) => resolveTo(stage, '127.0.0.1'),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
  },
  {
    fault: 'the standby is lost while the name leads to a dead address',
    needs: ['root'],
    stage: NAMED,
    inject: (stage) => {
      resolveTo(stage, '127.0.0.9');
      signalSession(stage, 1, 'SIGKILL');
    },
    during: {
      node: 'degraded',
      link: 'up',
      tunnel: 'up',
      replacement: 'failing',
      replacementCode: 'connect_refused',
      withinMs: 5_000,
    },
    heal: (stage) => resolveTo(stage, '127.0.0.1'),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'survives',
  },
  {
    fault: 'the address behind the name changes, and the old one is dead',
    needs: ['root'],
    stage: NAMED,
    inject: async (stage) => {
      await openNewHome(stage);
      await stage.proxy.refuse(true);
      stage.proxy.reset();
    },
    during: { tunnel: 'down', linkCode: 'connect_refused', withinMs: 5_000 },
    heal: (stage) => resolveTo(stage, '127.0.0.2'),
    recoversWithinMs: 5_000,
    requests: 'are all served',
    stream: 'is reset',
    // Open connections end with the daemon; new ones are refused.
    cleanUp: (stage) => void newHomes.get(stage)?.close(),
  },
  {
    fault: 'of the two addresses of the name the first accepts connections, and never speaks',
    needs: ['root'],
    stage: NAMED,
    inject: async (stage) => {
      await openNewHome(stage);
      // The resolver puts the address of this machine first, in whatever order they are written.
      resolveTo(stage, '127.0.0.1', '127.0.0.2');
      const silent = await startSilent();
      silents.set(stage, silent);
      stage.proxy.target = silent.port;
      stage.proxy.reset();
    },
    // The daemon turns to the other address by itself.
    during: { tunnel: 'down', linkCode: 'connect_timeout', withinMs: 5_000 },
    recoversWithinMs: 10_000,
    requests: 'are all served',
    stream: 'is reset',
    cleanUp: (stage) => {
      newHomes.get(stage)?.close();
      void silents.get(stage)?.stop();
    },
  },
];
