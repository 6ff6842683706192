import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { requireProgram } from '../../tests/support/machine/find-program.ts';
import { type OwnedProcess, spawnOwned } from '../../tests/support/machine/owned-process.ts';
import { tempDir } from '../../tests/support/machine/temp-dir.ts';
import { freePort } from '../../tests/support/peers/loopback.ts';
import { waitUntil } from '../../tests/support/wait-until.ts';

export type TargetName = 'web' | 'bulk' | 'store';

/** The servers behind the tunnels: nginx, iperf3 and redis, each on a free loopback port. */
export interface Targets extends AsyncDisposable {
  readonly ports: Readonly<Record<TargetName, number>>;
}

/** One worker, an answer of three bytes, and connections without an end. */
function nginxConfig(directory: string, port: number): string {
  return `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 30000;
events { worker_connections 20000; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096; location / { default_type text/plain; return 200 "ok\\n"; } }
}
`;
}

export async function startTargets(): Promise<Targets> {
  const temp = tempDir('bench');
  const ports = { web: await freePort(), bulk: await freePort(), store: await freePort() };
  const directory = join(temp.path, 'nginx');
  mkdirSync(directory);
  const config = join(directory, 'nginx.conf');
  writeFileSync(config, nginxConfig(directory, ports.web));
  const store = ['--port', `${ports.store}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const processes: OwnedProcess[] = [
    spawnOwned(requireProgram('nginx'), ['-c', config, '-p', directory, '-e', 'stderr']),
    spawnOwned(requireProgram('iperf3'), ['-s', '-B', '127.0.0.1', '-p', `${ports.bulk}`]),
    spawnOwned(requireProgram('redis-server'), [...store, '--daemonize', 'no', '--dir', temp.path]),
  ];
  const stop = async () => {
    await Promise.all(processes.map((process) => process.stop('SIGKILL')));
    temp[Symbol.dispose]();
  };
  try {
    await Promise.all(Object.values(ports).map(answersOn));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ports, [Symbol.asyncDispose]: stop };
}

/** Waits until a connection to the port is accepted. */
export async function answersOn(port: number): Promise<void> {
  await waitUntil(`port ${port} accepts connections`, () => accepts(port), 20_000);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
