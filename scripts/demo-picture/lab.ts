import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Daemon, startDaemon } from '../../tests/support/daemon/daemon.ts';
import { tempDir } from '../../tests/support/machine/temp-dir.ts';
import { freePort } from '../../tests/support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../tests/support/peers/real-sshd.ts';
import { startIssueCore } from '../../tests/support/peers/stand-ins.ts';
import { startEcho } from '../../tests/support/peers/targets.ts';
import { requireFreePorts } from '../demo-fleet/port-owner.ts';
import { Started } from '../demo-fleet/started.ts';

/** The ports in the picture. */
export const PORTS = { sshd: 2222, api: 8080, db: 5432, apiTunnel: 18080, dbTunnel: 15432 };

export interface Lab extends AsyncDisposable {
  readonly sshd: Sshd;
  readonly daemon: Daemon;
  readonly configFile: string;
}

/** A node with two tunnels over a real sshd on loopback, with ordinary names and ports. */
export async function startLab(): Promise<Lab> {
  await requireFreePorts(Object.values(PORTS));
  const started = new Started();
  try {
    const temp = started.use(tempDir('picture'));
    const sshd = started.use(await startSshd({ port: PORTS.sshd }));
    const api = started.use(await startIssueCore(PORTS.api));
    api.set('/health', { body: { status: 'ok' } });
    started.use(await startEcho(PORTS.db));
    const endpointPort = await freePort();
    const configFile = join(temp.path, 'tunnels.yaml');
    mkdirSync(join(temp.path, 'run'), { mode: 0o700 });
    const common = { host: 'bastion', actor: 'atm-prod-1' };
    writeFileSync(
      configFile,
      stringify({
        version: 1,
        node: 'prod-1',
        endpoint: { listen: `127.0.0.1:${endpointPort}` },
        control: { socket: join(temp.path, 'run/control.sock') },
        state_dir: join(temp.path, 'state'),
        hosts: {
          'prod-1': { address: '127.0.0.1' },
          bastion: { address: '127.0.0.1', port: PORTS.sshd, user: sshd.user, known_hosts: sshd.knownHostsFile },
        },
        actors: { 'atm-prod-1': { key: sshd.clientKeyFile } },
        tunnels: {
          api: {
            ...common,
            production: true,
            listen: `127.0.0.1:${PORTS.apiTunnel}`,
            target: `127.0.0.1:${PORTS.api}`,
            probe: { http: { path: '/health', json: { status: 'ok' } }, every: '1s' },
          },
          db: {
            ...common,
            listen: `127.0.0.1:${PORTS.dbTunnel}`,
            target: `127.0.0.1:${PORTS.db}`,
            probe: { tcp: {}, every: '1s' },
          },
        },
      }),
    );
    const daemon = started.use(startDaemon({ configFile, endpointPort }));
    await daemon.waitFor(({ state, links }) => state === 'up' && links[0]?.sessions.length === 2);
    return { sshd, daemon, configFile, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
}
