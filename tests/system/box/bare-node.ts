import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packRelease } from '../../../scripts/install-node-run/pack.ts';
import { type Status, status as statusSchema } from '../../../src/telemetry/status/status.ts';
import { Cleanup } from '../../support/cleanup.ts';
import { httpGet } from '../../support/clients/http-get.ts';
import { fleetYaml } from '../../support/fakes/fleet-config.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { Box, type Outcome } from './box.ts';

export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const RELEASE = '/opt/release';
const USER = { name: 'mesh', id: 4242, home: '/home/mesh' } as const;

/** A forward that ssh has had until now: the port here, and the one on the host. */
export interface OldForward {
  readonly port: number;
  readonly target: number;
}

/**
 * A node before fleet-mesh: a box with a systemd and an ssh client that is let in by a real sshd (coulombcore), and this
 * checkout's release, packed and not installed. As `user` everything is that of a lingering user.
 */
export class BareNode implements AsyncDisposable {
  readonly box: Box;
  readonly sshd: Sshd;
  readonly endpointPort: number;
  readonly #as: 'system' | 'user';
  readonly #owned: Cleanup;
  /** What bore the program's name before anything was done: this checkout may lie in one of the places searched. */
  #earlier: readonly string[] = [];

  private constructor(box: Box, sshd: Sshd, endpointPort: number, as: 'system' | 'user', owned: Cleanup) {
    this.box = box;
    this.sshd = sshd;
    this.endpointPort = endpointPort;
    this.#as = as;
    this.#owned = owned;
  }

  static async boot(as: 'system' | 'user'): Promise<BareNode> {
    const owned = new Cleanup();
    try {
      const [box, sshd] = [owned.use(await Box.boot(false)), owned.use(await startSshd())];
      const node = new BareNode(box, sshd, await freePort(), as, owned);
      if (as === 'user') await makeUser(box);
      box.write(node.#file('id'), readFileSync(sshd.clientKeyFile, 'utf8'), 0o600);
      box.write(node.#file('known_hosts'), readFileSync(sshd.knownHostsFile, 'utf8'));
      await node.#own();
      mkdirSync(box.path(RELEASE), { recursive: true });
      packRelease(CHECKOUT, box.path(RELEASE));
      node.#earlier = await node.#named();
      return node;
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The packed program in the box, as an operator would call it. */
  mesh(...args: readonly string[]): Promise<Outcome> {
    return this.box.run(...this.#asOwner(), 'node', `${RELEASE}/dist/cli.js`, ...args);
  }

  systemctl(...args: readonly string[]): Promise<Outcome> {
    return this.box.run(...this.#asOwner(), 'systemctl', ...(this.#as === 'user' ? ['--user'] : []), ...args);
  }

  /** `active enabled` of a unit, in systemd's words. */
  async state(unit: string): Promise<string> {
    const { stdout } = await this.systemctl('show', '--value', '-p', 'ActiveState', '-p', 'UnitFileState', unit);
    return stdout.trim().split('\n').join(' ');
  }

  /**
   * A unit as people write them by hand, enabled and running. `indirect`: the unit names only a host of an ssh_config, by a
   * variable from a file.
   */
  async startOldUnit(name: string, { port, target }: OldForward, indirect = false): Promise<void> {
    const options = ['ExitOnForwardFailure=yes', 'BatchMode=yes', `UserKnownHostsFile=${this.#file('known_hosts')}`];
    const words = options.map((option) => `-o ${option}`).join(' ');
    const direct = `-L 127.0.0.1:${port}:127.0.0.1:${target} -p ${this.sshd.port} ${this.sshd.user}@127.0.0.1`;
    const [file, way] = indirect ? [this.#file('config-of-old'), '$WHERE'] : ['/dev/null', direct];
    const settings = ['HostName 127.0.0.1', `Port ${this.sshd.port}`, `User ${this.sshd.user}`];
    const forward = `LocalForward 127.0.0.1:${port} 127.0.0.1:${target}`;
    this.box.write(this.#file('config-of-old'), `Host ${name}\n  ${[...settings, forward].join('\n  ')}\n`);
    this.box.write(this.#file('environment-of-old'), `WHERE=${name}\n`);
    const units = this.#as === 'user' ? `${USER.home}/.config/systemd/user` : '/etc/systemd/system';
    this.box.write(
      `${units}/${name}.service`,
      `[Unit]
Description=ssh tunnel ${name}
[Service]
${indirect ? `EnvironmentFile=${this.#file('environment-of-old')}\n` : ''}ExecStart=/usr/bin/ssh -N -F ${file} -i ${this.#file('id')} ${words} ${way}
Restart=always
RestartSec=1
[Install]
WantedBy=${this.#as === 'user' ? 'default' : 'multi-user'}.target
`,
    );
    await this.#own();
    await this.systemctl('daemon-reload');
    const { code, stderr } = await this.systemctl('enable', '--now', `${name}.service`);
    if (code !== 0) throw new Error(stderr);
  }

  /** Writes a tunnel YAML for this node, not where the daemon looks. Returns its path in the box. */
  async writeYaml(
    tunnels: Readonly<Record<string, Record<string, unknown>>>,
    actor: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const path = this.#file('tunnels-to-come.yaml');
    const yaml = fleetYaml({
      endpointPort: this.endpointPort,
      host: {
        port: this.sshd.port,
        user: this.sshd.user,
        known_hosts: this.#as === 'user' ? this.#file('known_hosts') : '/etc/fleet-mesh/known_hosts',
      },
      actor: { key: this.#as === 'user' ? this.#file('id') : 'credential:key_id', ...actor },
      tunnels,
      extra: { stop_grace: '1s' },
    });
    this.box.write(path, yaml);
    await this.#own();
    return path;
  }

  /** What the operator brings: the key and the host keys where the system's daemon reads them. */
  async bringKeys(): Promise<void> {
    await this.box.must('install', '-D', '-m', '600', this.#file('id'), '/etc/fleet-mesh/keys/id');
    await this.box.must('install', '-m', '644', this.#file('known_hosts'), '/etc/fleet-mesh/known_hosts');
  }

  /** Has the box's own sshd let its user in. Returns an ssh_config with the host `node`. */
  async letIn(): Promise<string> {
    const port = await freePort();
    const [directory, { clientKey, clientKeyFile }] = ['/etc/ssh/box', this.sshd];
    const owner = this.#as === 'user' ? USER.home : '/root';
    this.box.write(`${directory}/host`, readFileSync(this.sshd.hostKeyFile, 'utf8'), 0o600);
    this.box.write(`${owner}/.ssh/authorized_keys`, `${clientKey.publicKey}\n`, 0o600);
    await this.#own();
    const lines = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${directory}/host`, 'UsePAM no', 'PidFile none'];
    this.box.write(`${directory}/config`, `${lines.join('\n')}\n`);
    await this.box.must('mkdir', '-p', '/run/sshd');
    await this.box.must('systemd-run', '--unit=box-sshd', requireProgram('sshd'), '-D', '-f', `${directory}/config`);
    const config = join(this.sshd.directory, 'config-of-the-node');
    const known = join(this.sshd.directory, 'known-node');
    writeFileSync(known, `[127.0.0.1]:${port} ${this.sshd.hostKeys()[0]?.publicKey}\n`);
    const user = this.#as === 'user' ? USER.name : 'root';
    const settings = {
      HostName: '127.0.0.1',
      Port: port,
      User: user,
      IdentityFile: clientKeyFile,
      UserKnownHostsFile: known,
    };
    const body = Object.entries(settings).map(([key, value]) => `  ${key} ${value}\n`);
    writeFileSync(config, `Host node\n${body.join('')}  IdentitiesOnly yes\n`);
    const probe = () => spawnSync('ssh', ['-o', 'BatchMode=yes', '-F', config, 'node', 'true']).status === 0;
    await waitUntil('the sshd of the box lets us in', probe, 10_000);
    return config;
  }

  async status(): Promise<Status> {
    const { body } = await httpGet(`http://127.0.0.1:${this.endpointPort}/status`, {
      headers: { accept: 'application/json' },
      timeoutMs: 10_000,
    });
    return statusSchema.parse(JSON.parse(body));
  }

  /** Everything in the box that is called after the program and was not at the boot, directories of others left out. */
  async traces(): Promise<string[]> {
    return (await this.#named()).filter((path) => !this.#earlier.includes(path));
  }

  async #named(): Promise<string[]> {
    const places = ['/etc', '/run', '/var/lib', '/home', '/root', '/usr/lib/systemd', '/usr/local'];
    const found = await this.box.run('find', ...places, '-xdev', '-name', '*fleet-mesh*');
    const library = await this.box.run('find', '/usr/lib', '-maxdepth', '1', '-name', '*fleet-mesh*');
    return `${found.stdout}${library.stdout}`.split('\n').filter(Boolean).sort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned[Symbol.asyncDispose]();
  }

  #file(name: string): string {
    return `${this.#as === 'user' ? USER.home : '/root'}/.ssh/${name}`;
  }

  #asOwner(): readonly string[] {
    if (this.#as === 'system') return [];
    const ids = ['--reuid', `${USER.id}`, '--regid', `${USER.id}`, '--init-groups'];
    return ['setpriv', ...ids, 'env', `HOME=${USER.home}`, `XDG_RUNTIME_DIR=/run/user/${USER.id}`];
  }

  async #own(): Promise<void> {
    if (this.#as === 'user') await this.box.must('chown', '-R', `${USER.id}:${USER.id}`, USER.home);
  }
}

async function makeUser(box: Box): Promise<void> {
  const { name, id, home } = USER;
  await box.must('useradd', '--create-home', '--home-dir', home, '--uid', `${id}`, '--user-group', name);
  // Without a password, and yet not locked: sshd lets nobody in whose account is locked.
  await box.must('usermod', '--password', '*', name);
  await box.must('loginctl', 'enable-linger', name);
  await waitUntil(
    'the manager of the user runs',
    async () => (await box.run('systemctl', 'is-active', `user@${id}`)).code === 0,
  );
}
