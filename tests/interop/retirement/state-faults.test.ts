import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { command } from '../../../src/operator/control/client.ts';
import { cutoverResult, retireResult, tunnelsResult } from '../../../src/operator/control/protocol.ts';
import { acceptanceReport } from '../../../src/retirement/acceptance/report.ts';
import { verdictAnswer } from '../../../src/retirement/drain/answer.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { type Daemon, runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { type Mesh, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { controlSocketIn, stateDirIn } from '../../support/fakes/fleet-config.ts';
import { planYaml, wave } from '../../support/fakes/plan-fixture.ts';
import { has } from '../../support/machine/capabilities.ts';
import { signal } from '../../support/machine/proc.ts';
import { patient } from '../../support/patience.ts';
import type { LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

describe.skipIf(!has('sshd'))('the state directory', () => {
  let sshd: Sshd;
  let echo: LoopbackServer;
  let successor: LoopbackServer;
  beforeAll(async () => {
    [sshd, echo, successor] = await Promise.all([startSshd(), startEcho(), startEcho()]);
    writeFileSync(join(sshd.directory, 'plan.yaml'), planYaml({ waves: [wave(1, [], 1)] }));
  });
  afterAll(async () => {
    await Promise.all([echo.stop(), successor.stop()]);
    await sshd[Symbol.asyncDispose]();
  });

  const never = new AbortController().signal;
  const PLAIN = { step: '1.1', quiet_for: '2s', rollback: 'start the old unit' };
  const start = (
    changes: { drain?: object; extra?: Record<string, unknown>; wrapper?: readonly string[]; actor?: object } = {},
  ) => {
    const { drain = PLAIN, extra = {}, wrapper = [], actor = {} } = changes;
    return startMesh({
      sshd,
      host: { sessions: 1 },
      actor: { ...actor },
      tunnels: { hub: { target: echo.port, drain } },
      extra: { plan: 'plan.yaml', ...extra },
      wrapper,
    });
  };
  const stateOf = ({ endpointPort }: Pick<Mesh, 'endpointPort'>) => stateDirIn(sshd.directory, endpointPort);
  /** Without the one about the key of this lab. */
  const codesOf = ({ advisories }: Pick<Status, 'advisories'>) =>
    advisories.map(({ code }) => code).filter((code) => code !== 'static_key');
  const verdictOf = async ({ get }: Pick<Daemon, 'get'>) =>
    verdictAnswer.parse(JSON.parse((await get('/drain/hub')).body));
  const isRetirable = ({ daemon }: Mesh) =>
    waitUntil('the tunnel is retirable', async () => {
      const answer = await verdictOf(daemon).catch(() => undefined);
      return answer?.verdict === 'retirable' || undefined;
    });
  /** A disk of its own, of 128 KiB: `$1` is the directory. */
  const onSmallDisk = (directory: string) => {
    const mount = 'mkdir -p "$1" && mount -t tmpfs -o size=128k,mode=700 none "$1" && shift && exec "$@"';
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh', directory];
  };
  /** Fills the disk in the namespace of the daemon to the last page; returns what empties it again. */
  const fill = (inside: string) => {
    const filler = join(inside, 'filler');
    const empty = () => rmSync(filler, { recursive: true, force: true });
    onTestFinished(empty);
    mkdirSync(filler);
    let refused = 0;
    for (let n = 0; refused < 10 && n < 1_000; n++) {
      try {
        writeFileSync(join(filler, String(n)), Buffer.alloc(4_096));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
        refused++;
      }
    }
    expect(refused).toBe(10);
    return empty;
  };

  /**
   * Makes the directory of the daemon read-only for all but the log, which is open: a file system with such a file does not
   * become read-only as a whole. Returns what undoes this.
   */
  const seal = ({ daemon }: Mesh, directory: string) => {
    const inside = (script: string) =>
      execFileSync('nsenter', ['--mount', '--target', `${daemon.pid}`, 'sh', '-ec', script, 'sh', directory]);
    inside('mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"');
    return () => inside('umount "$1"');
  };

  test.each<[string, (file: string) => void]>([
    ['moved', (file) => renameSync(file, `${file}.old`)],
    ['removed', (file) => rmSync(file)],
    ['emptied', (file) => truncateSync(file, 0)],
  ])('makes the verdict unknown when the evidence is %s, and heals without a restart', async (_, act) => {
    await using mesh = await start();
    await isRetirable(mesh);
    act(join(stateOf(mesh), 'events.jsonl'));
    // Asked at once, before any heartbeat. The failure itself lasts a second or two: the full disk below shows how it looks.
    const retire = { command: 'retire' as const, name: 'hub', dry_run: false, overrides: [] };
    const refused = command(controlSocketIn(sshd.directory, mesh.endpointPort), retire, retireResult, never);
    await expect(refused).rejects.toMatchObject({
      refusal: { code: 'verdict_unknown', message: expect.stringContaining('evidence_unwritten') },
    });
    await mesh.waitFor((status) => status.evidence.state === 'ok' && codesOf(status).length === 0);
    // The quiet time before the seam is not on the disk any more.
    expect((await verdictOf(mesh.daemon)).unknowns.map(({ code }) => code)).toEqual(['observation_gap']);
    const [seam] = readFileSync(join(stateOf(mesh), 'events.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(seam ?? '')).toMatchObject({
      event: 'log.seam',
      reason: expect.stringMatching(/events\.jsonl was/),
    });
    await isRetirable(mesh);
  });

  test.skipIf(!has('mount'))(
    'makes the verdict unknown while the disk is full, and nobody can override that',
    async () => {
      const directory = join(sshd.directory, 'full-verdict');
      await using mesh = await start({ extra: { state_dir: directory }, wrapper: onSmallDisk(directory) });
      await isRetirable(mesh);
      const empty = fill(`/proc/${mesh.daemon.pid}/root${directory}`);
      const names = ['hub'];
      await waitUntil('the evidence cannot be written', async () => {
        const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
        await command(socket, { command: 'down', names }, tunnelsResult, never);
        await command(socket, { command: 'up', names }, tunnelsResult, never);
        return (await mesh.daemon.status()).evidence.state === 'failing' || undefined;
      });
      const { unknowns } = await verdictOf(mesh.daemon);
      expect(unknowns[0]).toMatchObject({
        code: 'evidence_unwritten',
        since: expect.any(String),
        clears_by_itself: true,
      });
      expect(unknowns[0]?.message).toContain('ENOSPC');
      const override = ['--override', 'evidence_unwritten', '--reason', 'it must go'];
      expect(await runCli(['retire', 'hub', ...override, '--config', mesh.configFile])).toMatchObject({ code: 64 });
      empty();
      await mesh.waitFor(({ evidence }) => evidence.state === 'ok');
      expect((await verdictOf(mesh.daemon)).unknowns.map(({ code }) => code)).not.toContain('evidence_unwritten');

      // A read-only directory takes no retirement, and the daemon does not pretend one.
      await isRetirable(mesh);
      const unseal = seal(mesh, directory);
      const retire = () => runCli(['retire', 'hub', '--config', mesh.configFile]);
      expect(await retire()).toMatchObject({ code: 1, stderr: expect.stringContaining('read-only') });
      const sealed = await mesh.waitFor((status) => codesOf(status).includes('state_unwritten'));
      expect(tunnelOf(sealed, 'hub').state).toBe('up');
      unseal();
      await mesh.waitFor((status) => codesOf(status).length === 0);
      await isRetirable(mesh);
      expect(await retire()).toMatchObject({ code: 0 });
    },
  );

  test.skipIf(!has('mount'))(
    'gets a rollback as soon as the disk takes it, and an advisory says so until then',
    async () => {
      const directory = join(sshd.directory, 'full-rollback');
      const probe = { tcp: {}, every: '500ms', timeout: '500ms', rise: 1 };
      const drain = {
        ...PLAIN,
        successor: { target: `127.0.0.1:${successor.port}`, probe, hold: '500ms', verify_for: '1s' },
      };
      await using mesh = await start({ drain, extra: { state_dir: directory }, wrapper: onSmallDisk(directory) });
      await mesh.waitForTunnel('up');
      const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
      const inside = `/proc/${mesh.daemon.pid}/root${directory}`;
      const saved = () => JSON.parse(readFileSync(join(inside, 'cutover', 'hub.json'), 'utf8')).phase;
      const cutover = { command: 'cutover', name: 'hub', dry_run: false } as const;
      expect(await command(socket, cutover, cutoverResult, never, 60_000)).toMatchObject({ outcome: 'committed' });
      const empty = fill(inside);
      const rollback = () => runCli(['rollback', 'hub', '--config', mesh.configFile]);
      expect(await rollback()).toMatchObject({ code: 0, stdout: expect.stringContaining('cannot save the phase') });
      const { advisories, tunnels } = await mesh.waitFor((status) => codesOf(status).includes('state_unwritten'));
      expect(tunnels[0]?.route).toBe('tunnel');
      const [message] = advisories.map((each) => each.message).filter((text) => text.includes('hub.json'));
      expect(message).toMatch(/cutover\/hub\.json since \d{4}-.*\(ENOSPC\)/);
      expect(await mesh.metric('advisories', { code: 'state_unwritten' })).toBeGreaterThan(0);
      expect(saved()).toBe('committed');
      expect(await rollback()).toMatchObject({ code: 0, stdout: expect.stringContaining('cannot save the phase') });
      await echoOnce(mesh.port('hub'));

      empty();
      await mesh.waitFor((status) => !codesOf(status).includes('state_unwritten'));
      expect(saved()).toBe('rolled_back');
      rmSync(join(inside, 'cutover', 'hub.json'));
      const isBack = () => existsSync(join(inside, 'cutover', 'hub.json')) && saved() === 'rolled_back';
      await waitUntil('the removed file is written again', isBack, 20_000);

      const unseal = seal(mesh, directory);
      await expect(command(socket, cutover, cutoverResult, never, 60_000)).rejects.toMatchObject({
        refusal: { code: 'state_dir_unusable', message: expect.stringContaining('read-only') },
      });
      expect((await mesh.daemon.status()).tunnels[0]?.route).toBe('tunnel');
      await echoOnce(mesh.port('hub'));
      unseal();
      await mesh.waitFor((status) => !codesOf(status).includes('state_unwritten'));
      expect(saved()).toBe('rolled_back');
    },
  );

  test.skipIf(!has('loop'))(
    'on a disk that hangs harms no client, makes the verdict unknown, and delays no stop',
    async () => {
      const directory = join(sshd.directory, 'frozen');
      const mount = `truncate -s 16M "$1.img" && mkfs.ext4 -q "$1.img" && mkdir -p "$1" && mount -o loop "$1.img" "$1" && chmod 700 "$1" && shift && exec "$@"`;
      const wrapper = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh', directory];
      await using mesh = await start({ extra: { state_dir: directory }, wrapper });
      await isRetirable(mesh);
      // Open here, too: a process that is being ended has no root any more.
      const open = openSync(`/proc/${mesh.daemon.pid}/root${directory}`, 'r');
      const disk = `/proc/${process.pid}/fd/${open}`;
      const thaw = () => spawnSync('fsfreeze', ['--unfreeze', disk]);
      onTestFinished(() => {
        thaw();
        closeSync(open);
      });
      const freeze = () => execFileSync('fsfreeze', ['--freeze', disk]);
      const socket = controlSocketIn(sshd.directory, mesh.endpointPort);
      const names = ['hub'];
      const hang = async () => {
        freeze();
        await command(socket, { command: 'down', names }, tunnelsResult, never);
        await command(socket, { command: 'up', names }, tunnelsResult, never);
      };

      await hang();
      const status = await mesh.waitFor(({ evidence }) => evidence.state === 'failing');
      expect(status.evidence.error).toBe('the disk does not answer');
      expect((await verdictOf(mesh.daemon)).unknowns[0]?.code).toBe('evidence_unwritten');
      await mesh.waitForTunnel('up');
      await echoOnce(mesh.port('hub'));
      expect((await mesh.daemon.get('/livez')).status).toBe(200);
      thaw();
      await mesh.waitFor(({ evidence, advisories }) => evidence.state === 'ok' && codesOf({ advisories }).length === 0);

      await hang();
      const since = performance.now();
      mesh.daemon.signal('SIGTERM');
      await waitUntil('the daemon is through with its stop', () =>
        / stopped$|"event":"daemon.stuck"/m.test(mesh.daemon.log()),
      );
      expect(performance.now() - since).toBeLessThan(patient(8_000));
      // The kernel lets nobody end a process in such a write.
      thaw();
      await within('the daemon ends', mesh.daemon.exit, 10_000);
    },
  );

  test.each(['events.jsonl', 'events.head', 'retired.json', join('cutover', 'hub.json')])(
    'starts and ends in time with a FIFO in the place of %s',
    async (name) => {
      const directory = join(sshd.directory, `fifo-${name.replaceAll('/', '-')}`);
      mkdirSync(dirname(join(directory, name)), { recursive: true, mode: 0o700 });
      execFileSync('mkfifo', ['-m', '600', join(directory, name)]);
      await using mesh = await start({ extra: { state_dir: directory } });
      await mesh.waitForTunnel('up');
      if (name === 'events.jsonl') {
        const status = await mesh.waitFor(({ evidence }) => evidence.state === 'failing');
        expect(codesOf(status)).toEqual(['evidence_unavailable']);
        const { verdict, unknowns } = await verdictOf(mesh.daemon);
        expect([verdict, unknowns[0]?.code]).toEqual(['unknown', 'evidence_unwritten']);
        const told = await runCli(['events', '--config', mesh.configFile]);
        expect(told).toMatchObject({ code: 0, stdout: '' });
        expect(told.stderr).toMatch(/^\(\d+ newer events wait in memory, because the evidence cannot be written: /m);
      }
      const since = performance.now();
      expect(await within('the daemon ends', mesh.daemon.stop(), 5_000)).toMatchObject({ code: 0 });
      expect(performance.now() - since).toBeLessThan(patient(5_000));
    },
  );

  test.skipIf(!has('mount') || !has('flock'))('has one owner across pid namespaces', async () => {
    const extra = { state_dir: join(sshd.directory, 'shared-by-containers') };
    await using first = await start({ extra });
    await first.waitForTunnel('up');
    await using second = await start({ extra, wrapper: ['unshare', '--pid', '--fork', '--mount-proc'] });
    expect(await within('the second daemon ends', second.daemon.exit)).toMatchObject({ code: 1 });
    expect(second.daemon.log()).toContain(`another daemon (pid ${first.daemon.pid})`);
  });

  test.skipIf(!has('flock'))('is free at once after the death of its owner, whatever children live on', async () => {
    const pidFile = join(sshd.directory, 'orphan.pid');
    const script = join(sshd.directory, 'orphan');
    writeFileSync(script, `#!/bin/sh\nsetsid sleep 60 </dev/null >/dev/null 2>&1 &\necho $! > ${pidFile}\nexit 1\n`, {
      mode: 0o755,
    });
    const extra = { state_dir: join(sshd.directory, 'orphaned') };
    await using first = await start({ extra, actor: { cert_command: [script] } });
    const orphan = await waitUntil('the child is left behind', () => {
      try {
        return Number(readFileSync(pidFile, 'utf8')) || undefined;
      } catch {
        return undefined;
      }
    });
    onTestFinished(() => void signal(orphan, 'SIGKILL'));
    first.daemon.signal('SIGKILL');
    await first.daemon.exit;
    process.kill(orphan, 0);
    await using next = startDaemon({ configFile: first.configFile, endpointPort: first.endpointPort });
    const { advisories } = await next.waitFor(({ evidence }) => evidence.state === 'ok');
    expect(advisories.map(({ code }) => code)).not.toContain('state_dir_lock_weak');
  });

  test.skipIf(!has('flock'))('says so loudly when the kernel cannot lock it', async () => {
    const node = dirname(process.execPath);
    await using mesh = await startMesh({
      sshd,
      tunnels: { hub: { target: echo.port } },
      env: { PATH: `${node}-nowhere` },
    });
    const { advisories } = await mesh.waitFor(({ evidence }) => evidence.state === 'ok');
    expect(advisories).toMatchObject([{ code: 'state_dir_lock_weak' }]);
    expect(mesh.daemon.records().filter(({ event }) => event === 'state_dir.lock_weak')).toHaveLength(1);
  });

  test('of another node is no proof for this one', async () => {
    const production = { hub: { target: echo.port, production: true } };
    const workstation = { address: '127.0.0.1', port: 1, role: 'workstation' };
    const common = { sshd, tunnels: production, hosts: { workstation } };
    await using here = await startMesh(common);
    await here.waitForTunnel('up');
    await here.daemon.stop();
    const own = join(sshd.directory, 'own-node.yaml');
    cpSync(here.configFile, own);
    await using there = await startMesh({ ...common, extra: { node: 'coulombcore' } });
    await there.waitForTunnel('up');
    await there.daemon.stop();
    rmSync(stateOf(here), { recursive: true });
    cpSync(stateOf(there), stateOf(here), { recursive: true });
    const acceptance = ['acceptance', '--config', own, '--window', '500ms', '--offline', 'workstation', '--json'];
    const { code, stdout } = await runCli(acceptance);
    const { verdict, reasons } = acceptanceReport.parse(JSON.parse(stdout));
    expect([code, verdict]).toEqual([1, 'FAIL']);
    expect(reasons.map(({ code: each }) => each)).toContain('evidence_of_another_node');
  });

  test('whose list of retired tunnels cannot be read retires no tunnel, and says so', async () => {
    const directory = join(sshd.directory, 'unreadable');
    mkdirSync(directory, { mode: 0o700 });
    execFileSync('mkfifo', ['-m', '600', join(directory, 'retired.json')]);
    await using mesh = await start({ extra: { state_dir: directory } });
    const status = await mesh.waitFor(({ evidence }) => evidence.state === 'ok');
    expect(codesOf(status)).toEqual(['retirement_unreadable']);
    expect(tunnelOf(status, 'hub').state).not.toBe('retired');
  });
});
