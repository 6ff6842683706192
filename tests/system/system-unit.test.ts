import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Status } from '../../src/telemetry/status/status.ts';
import { echoOnce } from '../support/clients/steady-client.ts';
import { findTunnel, tunnelOf } from '../support/daemon/mesh.ts';
import { hasBox } from '../support/machine/capabilities.ts';
import { patient } from '../support/patience.ts';
import { freePort } from '../support/peers/loopback.ts';
import { waitUntil } from '../support/wait-until.ts';
import { BoxedMesh, HAS_NATIVE, PATIENCE_MS } from './box/mesh.ts';

const SERVICE = 'fleet-mesh.service';
const UNIX = '/run/fleet-mesh/echo.sock';
/** Several hundred clients arrive at once where a restart took seconds. */
const while_down = { hold: '15s', limit: 5_000 };

describe.skipIf(!hasBox())('the system unit, under a real systemd', () => {
  let mesh: BoxedMesh;
  let held: number;
  let own: number;
  let tunnels: Record<string, Record<string, unknown>>;

  beforeAll(async () => {
    mesh = await BoxedMesh.install('system');
    [held, own] = [await freePort(), await freePort()];
    tunnels = {
      held: { listen: `127.0.0.1:${held}`, while_down, max_connections: 5_000, production: true },
      own: { listen: `127.0.0.1:${own}` },
      unix: { listen: `unix:${UNIX}` },
    };
    await mesh.write(tunnels);
    mesh.unit(
      'fleet-mesh-tunnel-unix.socket',
      `[Socket]\nListenStream=${UNIX}\nFileDescriptorName=tunnel-unix\nService=${SERVICE}\n`,
    );
    await mesh.must('daemon-reload');
    await mesh.must(
      'start',
      'fleet-mesh-endpoint.socket',
      `fleet-mesh-forward@${held}.socket`,
      'fleet-mesh-tunnel-unix.socket',
    );
    await mesh.must('start', SERVICE);
  });
  afterAll(() => mesh?.[Symbol.asyncDispose](), 30_000);

  const journal = () => mesh.box.must('journalctl', '-u', SERVICE, '-o', 'cat', '--no-pager', '-a');
  const setting = async (text: string) => {
    mesh.dropIn(SERVICE, `[Service]\n${text}\n`);
    await mesh.must('daemon-reload');
  };
  const start = async () => {
    await mesh.must('daemon-reload');
    await mesh.must('restart', SERVICE);
    await mesh.allUp();
  };

  it('reports ready once it serves, and shows its state in one line', async () => {
    expect(await mesh.show('ActiveState')).toBe('active');
    const { systemd } = await mesh.allUp();
    expect(systemd).toMatchObject({ notify: HAS_NATIVE ? 'sd-notify' : 'systemd-notify', watchdog_ms: 30_000 });
    await waitUntil('STATUS is told', async () => (await mesh.show('StatusText')) === '3/3 up');
  });

  it('listens on sockets from systemd, binds the others, and reports both', async () => {
    const status = await mesh.allUp();
    expect(status.tunnels.map(({ name, listen_by }) => [name, listen_by])).toEqual([
      ['held', 'systemd'],
      ['own', 'daemon'],
      ['unix', 'systemd'],
    ]);
    expect(status.systemd.sockets.map(({ name, used_by, problem }) => [name, used_by, problem]).sort()).toEqual([
      ['endpoint', 'the endpoint', null],
      [`forward-${held}`, 'tunnel held', null],
      ['tunnel-unix', 'tunnel unix', null],
    ]);
    expect(await journal()).toContain(`systemd passed no socket for tunnel own at 127.0.0.1:${own}`);
    await echoOnce(held);
    await echoOnce(own);
    expect(await overUnix(mesh.box.path(UNIX))).toBe('hello');
  });

  it('delays units that need the tunnels', async () => {
    await mesh.must('restart', SERVICE);
    await mesh.must('start', 'fleet-mesh-online.target');
    expect(tunnelOf(await mesh.status(), 'held').state).toBe('up');
  });

  const failsReload = async () => {
    const before = await mesh.status();
    const yaml = await mesh.write(tunnels);
    await mesh.writeRaw(yaml.replace('production: true', 'productoin: true'));
    const { code } = await mesh.systemctl('reload', SERVICE);
    expect(code).not.toBe(0);
    expect(await journal()).toMatch(/tunnels\.yaml:\d+:\d+: .*productoin/);
    const { config } = await mesh.status();
    expect(config.sha256).toBe(before.config.sha256);
    expect(config.last_reload?.ok ?? false).toBe(false);
    expect(await mesh.show('ActiveState')).toBe('active');
    await echoOnce(held);
  };

  it('fails a reload of an invalid file with line and column, and changes nothing', async () => {
    await failsReload();
    expect((await mesh.status()).config.last_reload?.ok).toBe(false);
    const [, version] = /^systemd (\d+)/.exec(await mesh.must('--version')) ?? [];
    if (Number(version) < 253) return;
    const name = '20-notify-reload';
    mesh.dropIn(SERVICE, readFileSync(`systemd/drop-in/${name}.conf`, 'utf8'), name);
    await mesh.write(tunnels);
    await start();
    // systemd 258 and later run the check before SIGHUP, so the daemon does not learn of this reload.
    await failsReload();
    await mesh.write(tunnels);
    await mesh.must('reload', SERVICE);
    expect((await mesh.status()).config.last_reload?.ok).toBe(true);
    mesh.dropIn(SERVICE, '', name);
    await start();
  });

  it('binds a new port at a reload, and returns to the socket of systemd for a port that was removed and added again', async () => {
    const added = await freePort();
    const { held: kept, ...others } = tunnels;
    await mesh.write({ ...others, added: { listen: `127.0.0.1:${added}` } });
    await mesh.must('reload', SERVICE);
    // At once: the reload has waited.
    await echoOnce(added);
    expect(tunnelOf(await mesh.status(), 'added').listen_by).toBe('daemon');
    await expect(echoOnce(held), 'nobody lets a client wait for a tunnel that is gone').rejects.toThrow(/ECONNRESET/);

    await mesh.write({ held: kept ?? {}, ...others });
    await mesh.must('reload', SERVICE);
    await echoOnce(held);
    expect(tunnelOf(await mesh.status(), 'held').listen_by).toBe('systemd');
  });

  it('refuses and loses no connection at a restart', async () => {
    const { failures, served } = await mesh.underLoad(held, () => mesh.must('restart', SERVICE));
    expect(failures).toEqual([]);
    expect(served).toBeGreaterThan(50);
  });

  it('refuses no connection when it is killed, and loses only open ones', async () => {
    const pid = await mesh.outerPid();
    const { failures, idle } = await mesh.underLoad(held, () => process.kill(pid, 'SIGKILL'));
    expect(failures).toEqual([]);
    expect(idle).toMatch(/closed|ECONNRESET/);
  });

  it('restarts within WatchdogSec and 5 s after a hang, while clients wait', async () => {
    await setting('WatchdogSec=3');
    await start();
    const [pid, hung] = [await mesh.outerPid(), await mesh.mainPid()];
    let hungAt = 0;
    let tookMs: Promise<number> | undefined;
    const { failures } = await mesh.underLoad(held, () => {
      process.kill(pid, 'SIGSTOP');
      hungAt = performance.now();
      tookMs = waitUntil(
        'systemd has started another',
        async () => ![hung, '0'].includes(await mesh.mainPid()),
        PATIENCE_MS,
      ).then(() => performance.now() - hungAt);
    });
    expect(await tookMs).toBeLessThan(patient(8_000));
    expect(failures).toEqual([]);
    expect(await mesh.box.must('journalctl', '--no-pager', '-n', '400', '-o', 'cat')).toContain('Watchdog timeout');
  });

  it('sends watchdog messages through systemd-notify if sd-notify is missing', async () => {
    const module = '/usr/lib/fleet-mesh/node_modules/sd-notify';
    await mesh.box.must('mkdir', '-p', module);
    await mesh.box.must('mount', '-t', 'tmpfs', 'tmpfs', module);
    try {
      await setting('NotifyAccess=all\nWatchdogSec=3');
      await start();
      const { systemd } = await mesh.status();
      expect(systemd.notify).toBe('systemd-notify');
      await waitUntil('STATUS is told', async () => (await mesh.show('StatusText')) === '3/3 up');
      const pid = await mesh.mainPid();
      await pause(4_500);
      expect(await mesh.mainPid(), 'longer than WatchdogSec').toBe(pid);
      expect(await journal()).toContain('10-notify-fallback.conf');
    } finally {
      await mesh.box.must('umount', module);
      await setting(HAS_NATIVE ? 'NotifyAccess=main' : 'NotifyAccess=all');
    }
  });

  it('resets the clients of an unused socket, and reports its problem', async () => {
    const [nameless, elsewhere] = [await freePort(), await freePort()];
    const socket = (port: number, name: string) =>
      `[Socket]\nListenStream=127.0.0.1:${port}\nFileDescriptorName=${name}\nService=${SERVICE}\n`;
    mesh.unit('stray-a.socket', socket(nameless, 'whatever'));
    mesh.unit('stray-b.socket', socket(elsewhere, `forward-${own}`));
    await mesh.must('daemon-reload');
    await mesh.must('stop', SERVICE);
    try {
      await mesh.must('start', 'stray-a.socket', 'stray-b.socket', SERVICE);
      const { systemd, tunnels: all } = await mesh.allUp();
      const problemOf = (name: string) => systemd.sockets.find((each) => each.name === name)?.problem;
      expect(problemOf('whatever')).toMatch(/whatever is bound to 127\.0\.0\.1:\d+, but the socket name is unknown/);
      expect(problemOf(`forward-${own}`)).toContain(`but tunnel own listens on 127.0.0.1:${own}`);
      expect(all.find(({ name }) => name === 'own')?.listen_by).toBe('daemon');
      await expect(echoOnce(nameless)).rejects.toThrow(/ECONNRESET/);
      await echoOnce(own);
    } finally {
      await mesh.must('stop', 'stray-a.socket', 'stray-b.socket');
    }
  });

  it('gives open connections their stop_grace, longer than TimeoutStopSec', async () => {
    await mesh.write(tunnels, { stop_grace: '20s' });
    await setting('TimeoutStopSec=1');
    await start();
    const client = connect({ host: '127.0.0.1', port: held, allowHalfOpen: true });
    const answer = new Promise<string>((resolve) => {
      client.on('error', (error) => resolve(String(error)));
      client.on('data', (chunk: Buffer) => chunk.toString() === 'late' && resolve('late'));
    });
    client.write('early');
    await new Promise((resolve) => client.once('data', resolve));
    const stopping = mesh.systemctl('restart', SERVICE);
    await pause(2_500);
    client.end('late');
    expect(await answer).toBe('late');
    expect((await stopping).code).toBe(0);
    expect(await mesh.show('Result')).toBe('success');
    await setting('');
  });

  it.each([
    ['root and its own user', undefined, { process: 'unknown', uid: null, unit: null }],
    ['every user', '30-see-client-users.conf', { process: 'unknown', uid: 65_534, unit: null }],
    ['every process', '31-see-client-processes.conf', { process: 'bash', uid: 65_534, unit: 'caller.service' }],
  ])('identifies %s among its clients, also from before the drop-in', async (_, file, expected) => {
    const connect = `exec 3<>/dev/tcp/127.0.0.1/${held}; read -r <&3`;
    mesh.unit('caller.service', `[Service]\nUser=nobody\nExecStart=bash -c '${connect}'\n`);
    mesh.dropIn(SERVICE, file === undefined ? '' : readFileSync(`systemd/drop-in/${file}`, 'utf8'), 'see');
    await mesh.must('daemon-reload');
    await mesh.must('stop', SERVICE);
    // Waits in the backlog, which starts the daemon.
    await mesh.must('start', 'caller.service');
    try {
      const of = (status: Status) => findTunnel(status, 'held')?.usage.clients ?? [];
      const clients = of(await mesh.waitFor('the client is seen', (status) => of(status).length > 0));
      expect(clients).toMatchObject([{ ...expected, open: 1, connections_total: 1 }]);
    } finally {
      await mesh.must('stop', 'caller.service');
      mesh.dropIn(SERVICE, '', 'see');
      await mesh.must('daemon-reload');
    }
  });

  it('does not restart with an invalid file although clients wait, and serves the clients once the file is fixed', async () => {
    const yaml = await mesh.write(tunnels);
    await mesh.writeRaw(`${yaml}nonsense: [\n`);
    expect((await mesh.systemctl('restart', SERVICE)).code).not.toBe(0);
    const [restarts, status] = [await mesh.show('NRestarts'), await mesh.show('ExecMainStatus')];
    expect([restarts, status]).toEqual(['0', '78']);
    const waiting = echoOnce(held, 'patient', PATIENCE_MS);
    waiting.catch(() => {});
    const starts = async () => (await journal()).match(/Main process exited, code=exited, status=78/g)?.length ?? 0;
    const started = waitUntil('waiting clients start it again', async () => (await starts()) > 0);
    await Promise.all([started, pause(4_000)]);
    expect(await starts(), 'but at a pace').toBeLessThanOrEqual(3);
    await mesh.writeRaw(yaml);
    await waiting;
  });
});

function overUnix(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.once('error', reject);
    socket.write('hello');
  });
}
