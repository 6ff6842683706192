import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasSessions, startMesh } from '../../tests/support/daemon/mesh.ts';
import { unitNodeOptions } from '../../tests/support/daemon/unit-node-options.ts';
import { requireProgram } from '../../tests/support/machine/find-program.ts';
import { spawnOwned } from '../../tests/support/machine/owned-process.ts';
import { freePort } from '../../tests/support/peers/loopback.ts';
import type { Sshd } from '../../tests/support/peers/real-sshd.ts';
import { answersOn, type TargetName, type Targets } from './targets.ts';

type WayName = 'direct' | 'ssh -L' | 'ssh -L, aes128-gcm' | 'fleet-mesh';

/** One way from the client to the targets. */
export interface Way extends AsyncDisposable {
  readonly name: WayName;
  /** Where the client connects. */
  readonly ports: Readonly<Record<TargetName, number>>;
  /** The process on the client's side; undefined for a direct connection. */
  readonly pid: number | undefined;
}

const NAMES: readonly TargetName[] = ['web', 'bulk', 'store'];

/** The server of the ways. With a relay before sshd, the port and the known_hosts of the relay. */
export type Server = Pick<Sshd, 'port' | 'user' | 'clientKeyFile' | 'knownHostsFile' | 'directory'>;

/** The same server, at the port of a relay. */
export function behindRelay(sshd: Sshd, port: number): Server {
  const knownHostsFile = join(sshd.directory, `known_hosts_${port}`);
  const lines = sshd.hostKeys().map((key) => `[127.0.0.1]:${port} ${key.publicKey}\n`);
  writeFileSync(knownHostsFile, lines.join(''));
  return { ...sshd, port, knownHostsFile };
}

/** All ways to the same targets, through the same server. */
export async function startWays(sshd: Sshd, targets: Targets, server: Server = sshd): Promise<Way[]> {
  const direct: Way = {
    name: 'direct',
    ports: targets.ports,
    pid: undefined,
    [Symbol.asyncDispose]: async () => {},
  };
  return [
    direct,
    await startSsh(server, targets, 'ssh -L', []),
    await startSsh(server, targets, 'ssh -L, aes128-gcm', ['-c', 'aes128-gcm@openssh.com']),
    await startOurs(sshd, targets, server),
  ];
}

/** `ssh -N -L` without the operator's own settings, and without a shared connection. */
async function startSsh(sshd: Server, targets: Targets, name: WayName, extra: readonly string[]): Promise<Way> {
  const ports = { web: await freePort(), bulk: await freePort(), store: await freePort() };
  const forwards = NAMES.flatMap((target) => ['-L', `127.0.0.1:${ports[target]}:127.0.0.1:${targets.ports[target]}`]);
  const login = ['-p', `${sshd.port}`, '-i', sshd.clientKeyFile, '-o', `UserKnownHostsFile=${sshd.knownHostsFile}`];
  const settings = ['-F', 'none', '-o', 'ExitOnForwardFailure=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'];
  const argv = ['-N', ...settings, ...login, ...extra, ...forwards, `${sshd.user}@127.0.0.1`];
  const process = spawnOwned(requireProgram('ssh'), argv);
  await Promise.all(Object.values(ports).map(answersOn));
  return { name, ports, pid: process.pid, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() };
}

/** The built daemon with its default settings. */
async function startOurs(sshd: Sshd, targets: Targets, server: Server): Promise<Way> {
  const tunnels = Object.fromEntries(NAMES.map((name) => [name, { target: targets.ports[name] }]));
  const mesh = await startMesh({
    sshd,
    tunnels,
    host: { port: server.port, known_hosts: server.knownHostsFile },
    nodeOptions: unitNodeOptions(),
  });
  await mesh.waitFor(hasSessions(2), 30_000);
  const ports = { web: mesh.port('web'), bulk: mesh.port('bulk'), store: mesh.port('store') };
  return { name: 'fleet-mesh', ports, pid: mesh.daemon.pid, [Symbol.asyncDispose]: () => mesh[Symbol.asyncDispose]() };
}
