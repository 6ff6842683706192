import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RequestFailure, startRequestLoop } from '../support/clients/request-loop.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { hasBox } from '../support/machine/capabilities.ts';
import { patient } from '../support/patience.ts';
import { freePort, type LoopbackServer } from '../support/peers/loopback.ts';
import { startEcho } from '../support/peers/targets.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BareNode } from './box/bare-node.ts';
import { CHECKOUT_INSIDE } from './box/box.ts';

const SERVICE = 'fleet-mesh.service';
const while_down = { hold: '15s', limit: 5_000 };

describe.skipIf(!hasBox())('installing a node for the system, under a real systemd', () => {
  let node: BareNode;
  let echo: LoopbackServer;
  let hub: number;
  let issues: number;
  let yaml: string;

  beforeAll(async () => {
    [node, echo] = [await BareNode.boot('system'), await startEcho()];
    [hub, issues] = [await freePort(), await freePort()];
    await node.startOldUnit('fleet-hub', { port: hub, target: echo.port });
    await node.startOldUnit('fleet-issues', { port: issues, target: echo.port }, true);
    await node.bringKeys();
    const target = `127.0.0.1:${echo.port}`;
    yaml = await node.writeYaml({
      hub: { listen: `127.0.0.1:${hub}`, target, while_down, probe: { tcp: {}, every: '1s' } },
      issues: { listen: `127.0.0.1:${issues}`, target, while_down, probe: { tcp: {}, every: '1s' } },
    });
    const serves = (port: number) => echoOnce(port).catch(() => undefined);
    await waitUntil('ssh serves', async () => (await serves(hub)) && (await serves(issues)));
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    await echo?.[Symbol.asyncDispose]();
  });

  const states = async () => [
    await node.state('fleet-hub'),
    await node.state('fleet-issues'),
    await node.state(SERVICE),
  ];
  const BEFORE = ['active enabled', 'active enabled', 'inactive'];
  const AFTER = ['inactive disabled', 'inactive disabled', 'active enabled'];

  it('shows every file, unit and command with --dry-run, and changes nothing', async () => {
    const traces = await node.traces();
    const { code, stdout, stderr } = await node.mesh('install', '--config', yaml, '--dry-run');
    expect(code, stderr).toBe(0);
    for (const part of [
      'write  /etc/systemd/system/fleet-mesh.service (systemd/system/fleet-mesh.service)',
      'write  /etc/fleet-mesh/tunnels.yaml (as given)',
      `Conflicts=fleet-hub.service fleet-issues.service`,
      `run    systemctl enable fleet-mesh-endpoint.socket fleet-mesh-forward@${hub}.socket`,
      'run    systemctl disable fleet-hub.service fleet-issues.service',
    ]) {
      expect(stdout).toContain(part);
    }
    // The key is where the unit will load the credential from.
    const doctor = await node.mesh('doctor', '--no-listen', '--config', yaml);
    expect([doctor.code, doctor.stdout]).toEqual([
      0,
      expect.stringContaining('from /etc/fleet-mesh/keys/id, which the unit loads as credential:key_id'),
    ]);
    expect(await node.traces()).toEqual(traces);
    expect(await states()).toEqual(BEFORE);
  });

  it('refuses wrong input before the first change', async () => {
    const traces = await node.traces();
    node.box.write('/root/broken.yaml', 'version: 1\nnode: [\n');
    const broken = await node.mesh('install', '--config', '/root/broken.yaml');
    expect([broken.code, broken.stderr]).toEqual([78, expect.stringMatching(/tunnels\.yaml:\d+:\d+: /)]);
    const nowhere = await node.mesh('install', '--config', '/root/nowhere.yaml');
    expect([nowhere.code, nowhere.stderr]).toEqual([78, expect.stringContaining('nowhere.yaml:1:1: cannot be read')]);
    const held = await node.writeYaml({ other: { listen: `127.0.0.1:${echo.port}`, target: '127.0.0.1:1' } });
    const taken = await node.mesh('install', '--config', held);
    expect([taken.code, taken.stderr]).toEqual([
      1,
      expect.stringContaining(`port ${echo.port}, needed by tunnel other`),
    ]);
    expect(await node.traces()).toEqual(traces);
    expect(await states()).toEqual(BEFORE);
  });

  it('runs the doctor before it touches an ssh unit, and leaves no file after a failure', async () => {
    const traces = await node.traces();
    // As a new user does who has not moved the key out of the home: the unit of fleet-mesh sees no homes.
    const imported = await node.mesh('import', 'ssh-unit', '/etc/systemd/system/fleet-hub.service');
    expect([imported.code, imported.stderr]).toEqual([0, '']);
    expect(imported.stdout).toContain('`install -D -m 600 /root/.ssh/id /etc/fleet-mesh/keys/root-id`');
    const endpoint = `endpoint: { listen: "127.0.0.1:${node.endpointPort}" }\n`;
    node.box.write('/root/imported.yaml', `${imported.stdout}${endpoint}`);
    const { code, stderr } = await node.mesh('install', '--config', '/root/imported.yaml');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /permission denied \[host_key_unknown\]\n +fix: .*`install -D -m 644 \S+ \/etc\/fleet-mesh\/root-/,
    );
    expect(await states()).toEqual(BEFORE);
    expect(await node.traces()).toEqual(traces);
  });

  it('gives the ports back to ssh if the probe fails', async () => {
    const traces = await node.traces();
    await using moody = await startMoody(1);
    const failing = await node.writeYaml({
      hub: {
        listen: `127.0.0.1:${hub}`,
        target: `127.0.0.1:${moody.port}`,
        probe: { http: { path: '/' }, every: '1s', fall: 1 },
      },
    });
    const { code, stdout, stderr } = await node.mesh('install', '--config', failing, '--timeout', '3s');
    expect([code, stderr], stdout).toEqual([1, expect.stringMatching(/not installed: .* wait .*not within/s)]);
    expect(await states()).toEqual(BEFORE);
    await echoOnce(hub);
    // The daemon has run, and remembers that.
    expect(await node.traces()).toEqual([...traces, '/var/lib/fleet-mesh']);
  });

  it('takes the ports over from ssh within a second', async () => {
    yaml = await node.writeYaml({
      hub: {
        listen: `127.0.0.1:${hub}`,
        target: `127.0.0.1:${echo.port}`,
        while_down,
        probe: { tcp: {}, every: '1s' },
      },
      issues: { listen: `127.0.0.1:${issues}`, target: `127.0.0.1:${echo.port}`, while_down },
    });
    const loop = startRequestLoop(hub, 20, 20_000);
    const { code, stdout, stderr } = await node.mesh('install', '--config', yaml);
    const served = loop.served();
    await waitUntil('the daemon serves', () => loop.served() > served + 20);
    const { failures } = await loop.stop();
    expect(code, `${stdout}${stderr}${await node.box.journal(40)}`).toBe(0);
    expect(spanOf(failures), JSON.stringify(failures)).toBeLessThan(patient(1_000));
    expect(await states()).toEqual(AFTER);
    const { tunnels, systemd } = await node.status();
    expect(tunnels.map(({ state, listen_by }) => [state, listen_by])).toEqual([
      ['up', 'systemd'],
      ['up', 'systemd'],
    ]);
    expect(systemd.sockets.map(({ problem }) => problem)).toEqual([null, null, null]);
    const target = await node.box.must('cat', '/etc/fleet-mesh/prometheus/fleet-mesh.json');
    expect(JSON.parse(target)[0].targets).toEqual([`127.0.0.1:${node.endpointPort}`]);
    // By its name, as messages say it.
    expect(await node.box.must('/usr/local/bin/fleet-mesh', 'status')).toContain('railiance01 is UP');
    expect(await node.traces()).not.toContainEqual(expect.stringContaining('hand-over'));
    // As root outside the unit: the credentials of the unit are no key files.
    expect(await node.box.must('/usr/local/bin/fleet-mesh', 'doctor')).toContain('All checks passed.');
  });

  it('changes nothing the second time, whoever packs the release', async () => {
    const main = `${CHECKOUT_INSIDE}scripts/install-node-run/main.ts`;
    const again = await node.box.run(
      'env',
      '-C',
      CHECKOUT_INSIDE,
      'node',
      '--import',
      'tsx',
      main,
      '--local',
      '--config',
      yaml,
    );
    expect([again.code, again.stdout], again.stderr).toEqual([
      0,
      '/etc/fleet-mesh/tunnels.yaml exists already and was not changed\nnothing to do\n',
    ]);
    node.box.write('/opt/edited.yaml', `${await node.box.must('cat', yaml)}# edited\n`);
    const edited = await node.mesh('install', '--config', '/opt/edited.yaml');
    expect(edited.stdout).toContain(
      '/opt/edited.yaml differs and is not in use: edit /etc/fleet-mesh/tunnels.yaml, then `fleet-mesh reload`',
    );
  });

  it('starts the ssh units again with --rollback, once', async () => {
    const { code, stdout, stderr } = await node.mesh('install', '--rollback');
    expect(code, `${stdout}${stderr}`).toBe(0);
    expect(await states()).toEqual(BEFORE);
    await echoOnce(hub);
    await echoOnce(issues);
    expect(await node.traces()).toEqual(['/etc/fleet-mesh', '/var/lib/fleet-mesh']);
    expect(JSON.parse((await node.mesh('install', '--rollback', '--json')).stdout)).toEqual({
      ok: true,
      changed: false,
      steps: [],
      notes: ['nothing to roll back'],
      problems: [],
    });
  });

  it('upgrades and rolls back without a refused or lost connection', async () => {
    expect((await node.mesh('install')).code).toBe(0);
    const old = await node.box.must('readlink', '/usr/lib/fleet-mesh/current');
    node.box.write('/opt/release/release.json', '{"id":"9.9.9-next"}');
    const loop = startRequestLoop(hub, 20, 20_000);
    await waitUntil('requests are served', () => loop.served() > 10);
    const upgraded = await node.mesh('install');
    expect(upgraded.code, upgraded.stderr).toBe(0);
    expect(await node.box.must('readlink', '/usr/lib/fleet-mesh/current')).toBe('releases/9.9.9-next\n');
    const back = await node.mesh('install', '--rollback');
    expect(back.code, back.stderr).toBe(0);
    expect(await node.box.must('readlink', '/usr/lib/fleet-mesh/current')).toBe(old);
    const served = loop.served();
    await waitUntil('requests are served again', () => loop.served() > served + 20, 20_000);
    const { failures } = await loop.stop();
    expect(failures).toEqual([]);
    expect(await node.state(SERVICE)).toBe('active enabled');
  });

  it('promotes a release that serves, rolls back one that ends under observation, and records both', async () => {
    const [current, program] = ['/usr/lib/fleet-mesh/current', '/opt/release/dist/cli.js'];
    const whole = await node.box.must('cat', program);
    node.box.write('/opt/release/release.json', '{"id":"9.9.9-good"}');
    const promoted = await node.mesh('install', '--observe', '2s');
    expect(promoted.code, `${promoted.stdout}${promoted.stderr}`).toBe(0);
    expect(promoted.stdout).toContain('release.promoted is in the evidence');
    expect(await node.box.must('readlink', current)).toBe('releases/9.9.9-good\n');

    // Serves until somebody writes the file, and ends once.
    const spoilt = '/run/fleet-mesh/spoilt';
    const fs = "process.getBuiltinModule('fs')";
    const spoil = `setInterval(() => { try { ${fs}.unlinkSync('${spoilt}'); } catch { return; } process.exit(1); }, 50)`;
    const bad = `if (process.argv[2] === 'run') ${spoil};\n${whole.replace('#!/usr/bin/env node', '')}`;
    node.box.write('/opt/release/release.json', '{"id":"9.9.9-bad"}');
    node.box.write(program, bad);
    const said = '/run/said';
    const script = `node ${program} install --observe 1m >${said} 2>&1; echo "ended with $?" >>${said}`;
    await node.box.must('systemd-run', '--quiet', '--collect', 'sh', '-c', script);
    const output = () => node.box.must('cat', said).catch(() => '');
    await waitUntil('the release is observed', async () => (await output()).includes('observing 9.9.9-bad'), 20_000);
    node.box.write(spoilt, '');
    const end = await waitUntil('the upgrade ends', async () => /^ended .*/m.exec(await output())?.[0], 60_000);
    expect([end, await output()]).toEqual([
      'ended with 1',
      expect.stringMatching(/9\.9\.9-bad is not promoted: the daemon (ended|does not answer)/),
    ]);
    expect(await node.box.must('readlink', current)).toBe('releases/9.9.9-good\n');
    await echoOnce(hub);
    const events = await node.box.must('/usr/local/bin/fleet-mesh', 'events', '--json');
    const about = (JSON.parse(events).events as { event: string }[]).filter(({ event }) =>
      event.startsWith('release.'),
    );
    expect(about).toMatchObject([
      { event: 'release.promoted', release: '9.9.9-good' },
      {
        event: 'release.rolled_back',
        release: '9.9.9-bad',
        previous: '9.9.9-good',
        reason: expect.stringContaining('daemon'),
      },
    ]);
    await node.box.must('/usr/local/bin/fleet-mesh', 'events', '--verify');
    await node.box.must('rm', said);
    node.box.write(program, whole);
  });

  it('undoes an upgrade that does not start, while clients wait', async () => {
    const [current, program] = ['/usr/lib/fleet-mesh/current', '/opt/release/dist/cli.js'];
    const before = await node.box.must('readlink', current);
    const whole = await node.box.must('cat', program);
    node.box.write('/opt/release/release.json', '{"id":"9.9.9-broken"}');
    node.box.write(
      program,
      `if (process.argv[2] === 'run') process.exit(1);\n${whole.replace('#!/usr/bin/env node', '')}`,
    );
    const loop = startRequestLoop(hub, 20, 20_000);
    await waitUntil('requests are served', () => loop.served() > 10);
    const { code, stderr } = await node.mesh('install');
    expect([code, stderr]).toEqual([1, expect.stringContaining('not installed: systemctl restart fleet-mesh.service')]);
    const served = loop.served();
    await waitUntil('requests are served again', () => loop.served() > served + 20, 20_000);
    const { failures } = await loop.stop();
    expect(failures).toEqual([]);
    expect(await node.box.must('readlink', current)).toBe(before);
    expect(await node.box.must('ls', '/usr/lib/fleet-mesh/releases')).not.toContain('broken');
    node.box.write(program, whole);
  });

  it('takes over another port while the daemon runs, and keeps open connections', async () => {
    const late = await freePort();
    await node.startOldUnit('fleet-late', { port: late, target: echo.port });
    await waitUntil('ssh serves', () => echoOnce(late).catch(() => undefined));
    const file = '/etc/fleet-mesh/tunnels.yaml';
    const before = await node.box.must('cat', file);
    const tunnel = `{ host: coulombcore, actor: atm-fleet-mesh, listen: "127.0.0.1:${late}", target: "127.0.0.1:${echo.port}" }`;
    node.box.write(file, before.replace(/^tunnels:$/m, `tunnels:\n  late: ${tunnel}`));
    const [kept, moved] = [startRequestLoop(hub, 20, 20_000), startRequestLoop(late, 20, 20_000)];
    const { code, stdout, stderr } = await node.mesh('install');
    expect(code, `${stdout}${stderr}`).toBe(0);
    const served = moved.served();
    await waitUntil('the daemon serves', () => moved.served() > served + 20);
    const [{ failures }, { failures: lost }] = [await kept.stop(), await moved.stop()];
    expect(failures).toEqual([]);
    expect(spanOf(lost), JSON.stringify(lost)).toBeLessThan(patient(1_000));
    expect((await node.status()).tunnels.map(({ listen_by }) => listen_by)).toEqual(['systemd', 'systemd', 'systemd']);
  });

  it('leaves only configuration, keys and state behind after uninstall, and nothing after --purge', async () => {
    const { code, stdout, stderr } = await node.mesh('uninstall');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('kept: /etc/fleet-mesh/');
    expect(stdout).toContain('systemctl enable --now fleet-hub.service');
    expect(await node.traces()).toEqual(['/etc/fleet-mesh', '/var/lib/fleet-mesh']);
    expect(await node.state(SERVICE)).toBe('inactive');
    await expect(echoOnce(hub)).rejects.toThrow(/ECONNREFUSED/);
    expect((await node.mesh('uninstall', '--purge')).stdout).toContain('nothing to do');

    expect((await node.mesh('install')).code).toBe(0);
    await echoOnce(hub);
    const purged = await node.mesh('uninstall', '--purge');
    expect(purged.code, purged.stderr).toBe(0);
    expect(await node.traces()).toEqual([]);
    expect((await node.box.run('id', 'fleet-mesh')).code).not.toBe(0);
  });
});

/** From the first failed request to the last one, in milliseconds. */
function spanOf(failures: readonly RequestFailure[]): number {
  const begins = failures.map(({ from }) => from);
  return begins.length === 0 ? 0 : Math.max(...begins) - Math.min(...begins);
}

/** An HTTP server that is well for so many requests, and then no longer. */
async function startMoody(well: number): Promise<AsyncDisposable & { readonly port: number }> {
  let asked = 0;
  const server: Server = createServer((_, response) => {
    response.writeHead(asked++ < well ? 200 : 500, { connection: 'close' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
