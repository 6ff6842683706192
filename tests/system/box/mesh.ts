import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Status, status as statusSchema } from '../../../src/telemetry/status/status.ts';
import { Cleanup } from '../../support/cleanup.ts';
import { httpGet } from '../../support/clients/http-get.ts';
import { type LoopResult, startRequestLoop } from '../../support/clients/request-loop.ts';
import { fleetYaml } from '../../support/fakes/fleet-config.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { Box, CHECKOUT_INSIDE, type Outcome } from './box.ts';

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));

/** Whether this Node can load the native module, which was perhaps compiled for another one. Else units need a drop-in. */
export const HAS_NATIVE = loads(`${CHECKOUT}node_modules/sd-notify/build/Release/notify.node`);

/** 100 connections a second. */
const EVERY_MS = 10;
/** Whoever waits longer than this, in milliseconds, hangs. */
export const PATIENCE_MS = 20_000;

type Tunnels = Readonly<Record<string, Record<string, unknown>>>;

/** As which user the unit runs, and where its files are. */
interface Place {
  readonly systemctl: readonly string[];
  readonly units: string;
  readonly config: string;
  readonly key: string;
  /** As in the YAML. */
  readonly keyName: string;
  readonly knownHosts: string;
  readonly owner: number;
}

const SYSTEM: Place = {
  systemctl: ['systemctl'],
  units: '/etc/systemd/system',
  config: '/etc/fleet-mesh/tunnels.yaml',
  key: '/etc/fleet-mesh/keys/id',
  keyName: 'credential:key_id',
  knownHosts: '/etc/fleet-mesh/known_hosts',
  owner: 0,
};

const USER = { name: 'mesh', id: 4242, home: '/home/mesh' } as const;

const AS_USER: Place = {
  systemctl: [
    ...['setpriv', '--reuid', `${USER.id}`, '--regid', `${USER.id}`, '--init-groups'],
    ...['env', `XDG_RUNTIME_DIR=/run/user/${USER.id}`, `HOME=${USER.home}`, 'systemctl', '--user'],
  ],
  units: `${USER.home}/.config/systemd/user`,
  config: `${USER.home}/.config/fleet-mesh/tunnels.yaml`,
  key: `${USER.home}/.ssh/id`,
  keyName: '~/.ssh/id',
  knownHosts: `${USER.home}/.ssh/known_hosts`,
  owner: USER.id,
};

/** The daemon as a unit in a box, its real sshd, and an echo behind that. The unit is installed, and not started. */
export class BoxedMesh implements AsyncDisposable {
  readonly box: Box;
  readonly sshd: Sshd;
  readonly echo: LoopbackServer;
  readonly endpointPort: number;
  readonly #place: Place;
  readonly #cleanup: Cleanup;

  private constructor(box: Box, sshd: Sshd, echo: LoopbackServer, endpointPort: number, place: Place, owned: Cleanup) {
    this.box = box;
    this.sshd = sshd;
    this.echo = echo;
    this.endpointPort = endpointPort;
    this.#place = place;
    this.#cleanup = owned;
  }

  /** With `package` nothing is installed yet but what the administrator writes. */
  static async install(as: 'system' | 'user' | 'package'): Promise<BoxedMesh> {
    const owned = new Cleanup();
    try {
      const place = as === 'user' ? AS_USER : SYSTEM;
      const [box, sshd, echo] = [
        owned.use(await Box.boot(as !== 'package')),
        owned.use(await startSshd()),
        owned.use(await startEcho()),
      ];
      const mesh = new BoxedMesh(box, sshd, echo, await freePort(), place, owned);
      if (as === 'system') await makeSystem(box);
      if (as === 'user') await makeUser(box);
      box.write(place.key, readFileSync(sshd.clientKeyFile, 'utf8'), 0o600);
      box.write(place.knownHosts, readFileSync(sshd.knownHostsFile, 'utf8'));
      mesh.dropIn(
        'fleet-mesh-endpoint.socket',
        `[Socket]\nListenStream=\nListenStream=127.0.0.1:${mesh.endpointPort}\n`,
      );
      if (!HAS_NATIVE && as !== 'package') mesh.dropIn('fleet-mesh.service', '[Service]\nNotifyAccess=all\n', 'notify');
      await mesh.#own();
      return mesh;
    } catch (error) {
      await owned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes the YAML, not telling the daemon. Returns its path in the box. */
  async write(tunnels: Tunnels, extra: Record<string, unknown> = {}): Promise<string> {
    const target = `127.0.0.1:${this.echo.port}`;
    const yaml = fleetYaml({
      endpointPort: this.endpointPort,
      host: { port: this.sshd.port, user: this.sshd.user, known_hosts: this.#place.knownHosts },
      actor: { key: this.#place.keyName },
      tunnels: Object.fromEntries(Object.entries(tunnels).map(([name, own]) => [name, { target, ...own }])),
      extra: { stop_grace: '1s', ...extra },
    });
    await this.writeRaw(yaml);
    return yaml;
  }

  async writeRaw(yaml: string): Promise<void> {
    this.box.write(this.#place.config, yaml);
    await this.#own();
  }

  get configFile(): string {
    return this.#place.config;
  }

  systemctl(...args: readonly string[]): Promise<Outcome> {
    return this.box.run(...this.#place.systemctl, ...args);
  }

  /** The same, for what must succeed. */
  must(...args: readonly string[]): Promise<string> {
    return this.box.must(...this.#place.systemctl, ...args);
  }

  /** A property of the daemon's unit. */
  async show(property: string): Promise<string> {
    return (await this.must('show', '--value', '-p', property, 'fleet-mesh.service')).trim();
  }

  /** A unit file of the test's own; to be followed by `daemon-reload`. */
  unit(name: string, text: string): void {
    this.box.write(`${this.#place.units}/${name}`, text);
  }

  dropIn(unit: string, text: string, name = 'test'): void {
    this.box.write(`${this.#place.units}/${unit}.d/${name}.conf`, text);
  }

  async status(): Promise<Status> {
    const { body } = await httpGet(`http://127.0.0.1:${this.endpointPort}/status`, {
      headers: { accept: 'application/json' },
      timeoutMs: 10_000,
    });
    return statusSchema.parse(JSON.parse(body));
  }

  /** A status that fulfils the predicate. */
  waitFor(what: string, predicate: (status: Status) => boolean): Promise<Status> {
    return waitUntil(
      what,
      async () => {
        const status = await this.status().catch(() => undefined);
        return status !== undefined && predicate(status) ? status : undefined;
      },
      20_000,
    );
  }

  async allUp(): Promise<Status> {
    return this.waitFor(
      'every tunnel is up',
      ({ tunnels }) => tunnels.length > 0 && tunnels.every(({ state }) => state === 'up'),
    );
  }

  mainPid(): Promise<string> {
    return this.show('MainPID');
  }

  /** The daemon's pid out here, for a signal at an exact moment. */
  async outerPid(): Promise<number> {
    return this.box.outerPid(await this.mainPid());
  }

  /**
   * Makes 100 connections a second to an echo's port from before `act` until another process serves them. `act` comes at a
   * moment when none of them is open: those that the process had are lost with it, and would hide others.
   */
  async underLoad(port: number, act: () => unknown): Promise<LoopResult & { readonly idle: string }> {
    const before = await this.mainPid();
    const idle = holdConnection(port);
    const loop = startRequestLoop(port, EVERY_MS, PATIENCE_MS);
    await waitUntil('requests are served', () => loop.served() > 20);
    await loop.atRest(() => void act());
    await waitUntil(
      'another process serves',
      async () => ![before, '0'].includes(await this.mainPid()),
      PATIENCE_MS,
      () => `${loop.failed()} requests have failed`,
    );
    await this.allUp();
    const served = loop.served();
    await waitUntil('requests are served again', () => loop.served() > served + 20, 10_000);
    return { ...(await loop.stop()), idle: await idle };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup[Symbol.asyncDispose]();
  }

  async #own(): Promise<void> {
    if (this.#place.owner !== 0) await this.box.must('chown', '-R', `${USER.id}:${USER.id}`, USER.home);
  }
}

async function makeSystem(box: Box): Promise<void> {
  await box.must('systemd-sysusers', `${CHECKOUT_INSIDE}systemd/sysusers.d/fleet-mesh.conf`);
  await box.must('systemd-tmpfiles', '--create', `${CHECKOUT_INSIDE}systemd/tmpfiles.d/fleet-mesh.conf`);
}

async function makeUser(box: Box): Promise<void> {
  const { name, id, home } = USER;
  await box.must('useradd', '--create-home', '--home-dir', home, '--uid', `${id}`, '--user-group', name);
  const units = `${home}/.config/systemd/user`;
  await box.must('mkdir', '-p', units, `${home}/.local/lib`);
  await box.must('cp', '-r', `${CHECKOUT_INSIDE}systemd/user/.`, units);
  await box.must('ln', '-s', '/usr/lib/fleet-mesh', `${home}/.local/lib/fleet-mesh`);
  await box.must('chown', '-R', `${id}:${id}`, home);
  await box.must('loginctl', 'enable-linger', name);
  await waitUntil(
    'the manager of the user runs',
    async () => (await box.run('systemctl', 'is-active', `user@${id}`)).code === 0,
  );
}

/** How a connection ends that says nothing and does not end itself. */
function holdConnection(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
    socket.resume();
  });
}

function loads(module: string): boolean {
  try {
    createRequire(import.meta.url)(module);
    return true;
  } catch {
    return false;
  }
}
