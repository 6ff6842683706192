import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Status, status as statusSchema } from '../../../src/telemetry/status/status.ts';
import { Cleanup } from '../../support/cleanup.ts';
import { httpGet } from '../../support/clients/http-get.ts';
import { fleetYaml } from '../../support/fakes/fleet-config.ts';
import { buildDeb } from '../../support/machine/deb-package.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { Box } from '../box/box.ts';

const ROLE = fileURLToPath(new URL('../../../scripts/ansible/', import.meta.url));
const USER = { name: 'mesh', id: 4242, home: '/home/mesh' } as const;

/** One node of the inventory: a box that ssh lets the controller into. */
export interface AnsibleNode {
  readonly name: string;
  readonly box: Box;
  /** The user of the unit; undefined for the system unit. */
  readonly user: string | undefined;
  readonly sshPort: number;
  readonly endpointPort: number;
  /** The local port of its tunnel. */
  readonly port: number;
}

/** A recap line of ansible-playbook. */
export type Recap = Readonly<Record<'ok' | 'changed' | 'unreachable' | 'failed' | 'skipped' | 'rescued', number>>;

export interface Played {
  readonly code: number | null;
  readonly output: string;
  readonly recap: Readonly<Record<string, Recap>>;
}

const { PATH } = process.env;

/** A controller with the role of this checkout, booted nodes before the first run, and the host of their tunnels. */
export class AnsibleFleet implements AsyncDisposable {
  readonly nodes: readonly AnsibleNode[];
  readonly echo: LoopbackServer;
  readonly #sshd: Sshd;
  readonly #directory: string;
  readonly #owned: Cleanup;

  private constructor(
    nodes: readonly AnsibleNode[],
    echo: LoopbackServer,
    sshd: Sshd,
    directory: string,
    owned: Cleanup,
  ) {
    this.nodes = nodes;
    this.echo = echo;
    this.#sshd = sshd;
    this.#directory = directory;
    this.#owned = owned;
  }

  /** The first node is for the system unit, the second one for the unit of a user. */
  static async boot(count: 1 | 2): Promise<AnsibleFleet> {
    const owned = new Cleanup();
    try {
      const directory = owned.use(tempDir('ansible')).path;
      const [sshd, echo] = [owned.use(await startSshd()), owned.use(await startEcho())];
      const nodes: AnsibleNode[] = [];
      for (let index = 0; index < count; index += 1) {
        const box = owned.use(await Box.boot(false));
        const user = index === 0 ? undefined : USER.name;
        const [sshPort, endpointPort, port] = [await freePort(), await freePort(), await freePort()];
        nodes.push({ name: `node-${index + 1}`, box, user, sshPort, endpointPort, port });
      }
      const fleet = new AnsibleFleet(nodes, echo, sshd, directory, owned);
      const deb = buildDeb(directory);
      for (const node of nodes) await fleet.#prepare(node);
      fleet.#writeInventory(deb);
      return fleet;
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Gives the node a tunnel YAML on the controller. `target` defaults to an echo behind the host. */
  writeYaml(node: AnsibleNode, target = this.echo.port): void {
    const yaml = fleetYaml({
      endpointPort: node.endpointPort,
      host: { port: this.#sshd.port, user: this.#sshd.user, known_hosts: 'known_hosts' },
      actor: { key: node.user === undefined ? 'credential:key_id_fleet' : '~/.ssh/id_fleet' },
      tunnels: {
        hub: {
          listen: `127.0.0.1:${node.port}`,
          target: `127.0.0.1:${target}`,
          probe: { tcp: {}, every: '1s', fall: 1 },
        },
      },
      extra: { stop_grace: '1s' },
    });
    writeFileSync(join(this.#directory, `${node.name}.yaml`), yaml);
  }

  /** Runs the playbook. */
  async play(...options: readonly string[]): Promise<Played> {
    const args = ['-i', join(this.#directory, 'inventory.yml'), join(ROLE, 'site.yml'), ...options];
    await using run = spawnOwned(requireProgram('ansible-playbook'), args, {
      cwd: ROLE,
      env: {
        PATH,
        HOME: this.#directory,
        LC_ALL: 'C.UTF-8',
        ANSIBLE_HOME: join(this.#directory, 'ansible'),
        ANSIBLE_NOCOLOR: '1',
        ANSIBLE_SSH_ARGS: `-F none -o ControlMaster=auto -o ControlPersist=60s -o BatchMode=yes`,
      },
    });
    const { code } = await run.exit;
    const output = `${run.stdout()}${run.stderr()}`;
    const recap: Record<string, Recap> = {};
    for (const [, name = '', counts = ''] of output.matchAll(/^(node-\d)\s+: (.*)$/gm)) {
      const numbers = [...counts.matchAll(/(\w+)=(\d+)/g)].map(([, key, count]) => [key, Number(count)]);
      recap[name] = Object.fromEntries(numbers) as Recap;
    }
    return { code, output, recap };
  }

  /** A package of a later version. */
  laterPackage(): string {
    return buildDeb(this.#directory, { programVersion: '99.0.0' });
  }

  async status({ endpointPort }: AnsibleNode): Promise<Status> {
    const url = `http://127.0.0.1:${endpointPort}/status`;
    const { body } = await httpGet(url, { headers: { accept: 'application/json' }, timeoutMs: 10_000 });
    return statusSchema.parse(JSON.parse(body));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }

  /** Lets the controller in, and gives the box what every Debian node has. */
  async #prepare({ box, user, sshPort }: AnsibleNode): Promise<void> {
    const { clientKey, hostKeyFile } = this.#sshd;
    box.write('/root/.ssh/authorized_keys', `${clientKey.publicKey}\n`, 0o600);
    box.write('/etc/ssh/box_host', readFileSync(hostKeyFile, 'utf8'), 0o600);
    const lines = [`Port ${sshPort}`, 'ListenAddress 127.0.0.1', 'HostKey /etc/ssh/box_host', 'UsePAM no'];
    box.write('/etc/ssh/box_config', `${[...lines, 'PidFile none', 'Subsystem sftp internal-sftp'].join('\n')}\n`);
    await box.must('mkdir', '-p', '/run/sshd', '/srv/node');
    await box.must('systemd-run', '--unit=box-sshd', requireProgram('sshd'), '-D', '-f', '/etc/ssh/box_config');
    if (user !== undefined) {
      const { home, id } = USER;
      const options = ['--create-home', '--home-dir', home, '--uid', `${id}`, '--user-group', user];
      await box.must('useradd', ...options);
    }
    // The box is a whole machine: package scripts may start services. The index of manual pages takes seconds.
    await box.must('rm', '-f', '/usr/sbin/policy-rc.d', '/var/lib/man-db/auto-update');
    // Node is here, but maybe by another way than a package.
    const control =
      'Package: nodejs\nVersion: 99\nArchitecture: all\nMaintainer: nobody\nDescription: the node of the box\n';
    box.write('/srv/node/DEBIAN/control', control);
    await box.must('dpkg-deb', '--build', '-Znone', '/srv/node', '/srv/nodejs.deb');
    await box.must('dpkg', '--install', '/srv/nodejs.deb');
    const reached = async () => (await box.run('ss', '-ltnH', `sport = :${sshPort}`)).stdout !== '';
    await waitUntil('the sshd of the box listens', reached);
  }

  #writeInventory(deb: string): void {
    const { clientKeyFile, knownHostsFile } = this.#sshd;
    const [hostKey] = this.#sshd.hostKeys();
    const known = this.nodes.map(({ sshPort }) => `[127.0.0.1]:${sshPort} ${hostKey?.publicKey}\n`);
    writeFileSync(join(this.#directory, 'known_nodes'), known.join(''));
    copyFileSync(knownHostsFile, join(this.#directory, 'known_hosts'));
    const hosts = this.nodes.map((node) => [
      node.name,
      {
        ansible_port: node.sshPort,
        fleet_mesh_user: node.user ?? '',
        fleet_mesh_config: join(this.#directory, `${node.name}.yaml`),
      },
    ]);
    const vars = {
      ansible_host: '127.0.0.1',
      ansible_user: 'root',
      ansible_ssh_private_key_file: clientKeyFile,
      ansible_ssh_common_args: `-o UserKnownHostsFile=${join(this.#directory, 'known_nodes')}`,
      ansible_python_interpreter: '/usr/bin/python3',
      fleet_mesh_deb: deb,
      fleet_mesh_files: [{ name: 'known_hosts', src: join(this.#directory, 'known_hosts') }],
      fleet_mesh_keys: [{ name: 'id_fleet', src: clientKeyFile }],
      fleet_mesh_file_sd: '/etc/targets',
      fleet_mesh_timeout: '60s',
    };
    writeFileSync(
      join(this.#directory, 'inventory.yml'),
      stringify({ fleet_mesh: { vars, hosts: Object.fromEntries(hosts) } }),
    );
    for (const node of this.nodes) this.writeYaml(node);
  }
}
