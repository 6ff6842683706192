import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYRING, sourcesOf } from '../../scripts/apt-repo/repository.ts';
import { version } from '../../src/program.ts';
import { startRequestLoop } from '../support/clients/request-loop.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { nodePackage, signedRepository } from '../support/machine/apt-repository.ts';
import { has, hasBox } from '../support/machine/capabilities.ts';
import { buildDeb } from '../support/machine/deb-package.ts';
import { tempDir } from '../support/machine/temp-dir.ts';
import { freePort } from '../support/peers/loopback.ts';
import { BoxedMesh, PATIENCE_MS } from './box/mesh.ts';

const SERVICE = 'fleet-mesh.service';
const ENDPOINT = 'fleet-mesh-endpoint.socket';
const NEXT = '99.0.0';
const while_down = { hold: '15s', limit: 5_000 };

const REPOSITORY = '/srv/repository';
/** apt with our repository alone. */
const APT = [
  ...['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q'],
  ...['-o', 'Dir::Etc::SourceList=/dev/null', '-o', 'Dir::Etc::SourceParts=/srv/sources'],
] as const;

const READY = [hasBox(), ...(['dpkg-deb', 'dpkg-scanpackages', 'gpg'] as const).map(has)].every(Boolean);

describe.skipIf(!READY)('the Debian package, on a machine with systemd', () => {
  let mesh: BoxedMesh;
  let port: number;
  let socket: string;

  /** As a file of the box. */
  const deb = (debianVersion: string) => `/srv/fleet-mesh_${debianVersion}_all.deb`;

  beforeAll(async () => {
    using temp = tempDir('deb');
    const built = [
      buildDeb(temp.path),
      buildDeb(temp.path, { revision: '2', epoch: 1_777_777_777 }),
      buildDeb(temp.path, { programVersion: NEXT }),
    ];
    mesh = await BoxedMesh.install('package');
    await mesh.box.must('mkdir', '-p', '/srv');
    for (const file of built) copyFileSync(file, mesh.box.path(deb(file.split('_')[1] ?? '')));
    // A container's way to keep package scripts from starting services: the box is a whole machine.
    await mesh.box.must('rm', '-f', '/usr/sbin/policy-rc.d');
    // The index of manual pages takes seconds, after each run of dpkg.
    await mesh.box.must('rm', '-f', '/var/lib/man-db/auto-update');
    signedRepository(join(temp.path, 'repository'), [built[0] ?? '', nodePackage(temp.path)], temp.path);
    cpSync(join(temp.path, 'repository'), mesh.box.path(REPOSITORY), { recursive: true });
    mesh.box.write('/srv/sources/fleet-mesh.sources', sourcesOf(`file:${REPOSITORY}`));
    mesh.box.write(`/etc/apt/keyrings/${KEYRING}`, readFileSync(join(temp.path, 'repository', KEYRING), 'utf8'));
    port = await freePort();
    socket = `fleet-mesh-forward@${port}.socket`;
    await mesh.write({ held: { listen: `127.0.0.1:${port}`, while_down, max_connections: 5_000, production: true } });
  });
  afterAll(() => mesh?.[Symbol.asyncDispose](), 30_000);

  const isActive = async (unit: string) => (await mesh.systemctl('is-active', '--quiet', unit)).code === 0;
  const since = (unit: string) => mesh.must('show', '--value', '-p', 'ActiveEnterTimestampMonotonic', unit);
  /** What dpkg and the package's scripts say. */
  const dpkg = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await mesh.box.run('env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', ...args);
    expect(code, `${stdout}${stderr}`).toBe(0);
    return `${stdout}${stderr}`;
  };

  it('refuses a machine where scripts/install-node installed fleet-mesh', async () => {
    mesh.box.write('/usr/lib/fleet-mesh/install.json', '{}');
    const { code, stderr } = await mesh.box.run('dpkg', '-i', deb(`${version}-1`));
    expect(code).not.toBe(0);
    expect(stderr).toContain('already installed by scripts/install-node');
    await mesh.box.must('rm', '-r', '/usr/lib/fleet-mesh');
  });

  it('rejects a repository that was changed after it was signed', async () => {
    const index = `${REPOSITORY}/dists/stable/main/binary-amd64/Packages`;
    const names = [index, `${index}.gz`];
    const whole = names.map((name) => readFileSync(mesh.box.path(name)));
    for (const name of names) mesh.box.write(name, 'Package: fleet-mesh\nVersion: 666\n');
    const { code, stdout, stderr } = await mesh.box.run(...APT, 'update');
    expect([code, `${stdout}${stderr}`]).toEqual([100, expect.stringMatching(/Hash Sum mismatch|unexpected size/)]);
    for (const [at, name] of names.entries()) writeFileSync(mesh.box.path(name), whole[at] ?? '');
  });

  it('installs with apt from the signed repository, and enables and starts nothing', async () => {
    await mesh.box.must(...APT, 'update');
    await mesh.box.must(...APT, '-y', '--no-install-recommends', 'install', 'fleet-mesh');
    for (const unit of [SERVICE, ENDPOINT]) {
      expect((await mesh.systemctl('is-active', unit)).stdout.trim()).toBe('inactive');
      expect((await mesh.systemctl('is-enabled', unit)).stdout.trim()).toBe('disabled');
    }
    expect(await mesh.box.must('getent', 'passwd', 'fleet-mesh')).toContain('/var/lib/fleet-mesh');
    expect(statSync(mesh.box.path('/etc/fleet-mesh/keys')).mode & 0o777).toBe(0o700);
    await mesh.box.must('fleet-mesh', 'check', '--config', '/etc/fleet-mesh/tunnels.yaml');
    await mesh.box.must('systemd-analyze', 'verify', '--man=no', SERVICE, socket);
  });

  it('serves after `systemctl enable --now`, without a compiled module', async () => {
    await mesh.must('enable', '--now', ENDPOINT, socket, SERVICE);
    const { tunnels, systemd, version: running } = await mesh.allUp();
    expect(running).toBe(version);
    expect(tunnels.map(({ listen_by }) => listen_by)).toEqual(['systemd']);
    expect(systemd).toMatchObject({ notify: 'systemd-notify', watchdog_ms: 30_000 });
    expect(await mesh.box.must('find', '/usr/lib/fleet-mesh', '-name', '*.node')).toBe('');
    await echoOnce(port);
  });

  it('does not restart the daemon for a package with the same program', async () => {
    const pid = await mesh.mainPid();
    const loop = startRequestLoop(port, 10, PATIENCE_MS);
    expect(await dpkg('-i', deb(`${version}-2`))).toContain('the program of the daemon is unchanged');
    const { failures } = await loop.stop();
    expect(failures).toEqual([]);
    expect(await mesh.mainPid()).toBe(pid);
  });

  it('loses in an upgrade only connections of the replaced process, and refuses none', async () => {
    // A plan that cannot be used keeps no daemon from starting, and so none from being replaced.
    await mesh.write(
      { held: { listen: `127.0.0.1:${port}`, while_down, max_connections: 5_000 } },
      { plan: 'none.yaml' },
    );
    const [endpointSince, socketSince] = [await since(ENDPOINT), await since(socket)];
    let upgrade: Promise<string> | undefined;
    const { failures, served, idle } = await mesh.underLoad(port, () => {
      upgrade = dpkg('-i', deb(`${NEXT}-1`));
    });
    await upgrade;
    expect(failures).toEqual([]);
    expect(served).toBeGreaterThan(50);
    expect(idle).toMatch(/closed|ECONNRESET/);
    expect((await mesh.status()).version).toBe(NEXT);
    expect([await since(ENDPOINT), await since(socket)], 'the sockets were left alone').toEqual([
      endpointSince,
      socketSince,
    ]);
  });

  it('keeps the old daemon running if the new one rejects the configuration', async () => {
    const yaml = await mesh.write({ held: { listen: `127.0.0.1:${port}`, while_down } });
    await mesh.writeRaw(`${yaml}nonsense: true\n`);
    const pid = await mesh.mainPid();
    const said = await dpkg('-i', deb(`${version}-1`));
    expect(said).toMatch(/tunnels\.yaml:\d+:\d+: .*nonsense/);
    expect(said).toContain('the old version still runs');
    expect(await mesh.mainPid()).toBe(pid);
    expect((await mesh.status()).version).toBe(NEXT);
    await mesh.writeRaw(yaml);
    await mesh.must('restart', SERVICE);
    expect((await mesh.allUp()).version).toBe(version);
  });

  it('restarts the daemon also after an upgrade that broke off and began again', async () => {
    const pid = await mesh.mainPid();
    for (const _attempt of [1, 2]) await dpkg('--unpack', deb(`${NEXT}-1`));
    expect(await mesh.mainPid()).toBe(pid);
    await dpkg('--configure', 'fleet-mesh');
    expect((await mesh.allUp()).version).toBe(NEXT);
  });

  it('keeps a stopped daemon stopped', async () => {
    await mesh.must('stop', ENDPOINT, socket, SERVICE);
    await dpkg('-i', deb(`${version}-1`));
    expect([await isActive(SERVICE), await isActive(socket)]).toEqual([false, false]);
    await mesh.must('start', ENDPOINT, socket, SERVICE);
    await mesh.allUp();
  });

  it('stops the daemon at a removal, and keeps files of the operator', async () => {
    mesh.unit('fleet-mesh-tunnel-own.socket', `[Socket]\nListenStream=/run/own.sock\nService=${SERVICE}\n`);
    await mesh.must('daemon-reload');
    await mesh.must('stop', ENDPOINT, socket, SERVICE);
    await mesh.must('start', 'fleet-mesh-tunnel-own.socket', ENDPOINT, socket, SERVICE);
    await mesh.allUp();
    await dpkg('-r', 'fleet-mesh');
    const units = [SERVICE, ENDPOINT, socket, 'fleet-mesh-tunnel-own.socket'];
    expect(await Promise.all(units.map(isActive))).toEqual([false, false, false, false]);
    await expect(echoOnce(port)).rejects.toThrow(/ECONNREFUSED/);
    const there = ['/usr/lib/fleet-mesh', '/usr/bin/fleet-mesh', '/run/fleet-mesh', '/run/fleet-mesh.replaced'];
    expect(there.filter((path) => existsSync(mesh.box.path(path)))).toEqual([]);
    const kept = ['tunnels.yaml', 'known_hosts', 'keys/id'].map((name) => `/etc/fleet-mesh/${name}`);
    expect([...kept, '/var/lib/fleet-mesh'].filter((path) => !existsSync(mesh.box.path(path)))).toEqual([]);
  });

  it('keeps the units enabled, but not started, when installed again', async () => {
    await dpkg('-i', deb(`${version}-1`));
    expect((await mesh.systemctl('is-enabled', SERVICE, socket)).stdout.trim().split('\n')).toEqual([
      'enabled',
      'enabled',
    ]);
    expect([await isActive(SERVICE), await isActive(socket)]).toEqual([false, false]);
  });

  it('leaves only its user and units of the administrator after a purge', async () => {
    await dpkg('-P', 'fleet-mesh');
    for (const path of ['/etc/fleet-mesh', '/var/lib/fleet-mesh', '/usr/lib/fleet-mesh', '/run/fleet-mesh']) {
      expect(existsSync(mesh.box.path(path)), path).toBe(false);
    }
    const left = readdirSync(mesh.box.path('/etc/systemd/system'), { recursive: true }).map(String);
    expect(left.filter((path) => path.includes('.wants/fleet-mesh'))).toEqual([]);
    expect(left).toContain('fleet-mesh-tunnel-own.socket');
    await mesh.box.must('getent', 'passwd', 'fleet-mesh');
  });
});
