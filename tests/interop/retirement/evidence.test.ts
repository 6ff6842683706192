import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { command } from '../../../src/operator/control/client.ts';
import { tunnelsResult } from '../../../src/operator/control/protocol.ts';
import { RECORD_NAME } from '../../../src/operator/presence/record.ts';
import { type Entry, parseEntry } from '../../../src/retirement/evidence/entry.ts';
import { exportLog, type Manifest } from '../../../src/retirement/evidence/export.ts';
import { readLines } from '../../../src/retirement/evidence/files.ts';
import { verifyLog } from '../../../src/retirement/evidence/verify.ts';
import type { Status } from '../../../src/telemetry/status/status.ts';
import { echoOnce } from '../../support/clients/steady-client.ts';
import { type Daemon, runCli, spawnCli, startDaemon } from '../../support/daemon/daemon.ts';
import { type Mesh, startMesh } from '../../support/daemon/mesh.ts';
import { controlSocketIn, stateDirIn } from '../../support/fakes/fleet-config.ts';
import { has } from '../../support/machine/capabilities.ts';
import type { LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

/** Number of kills of the daemon. By hand, use more: `EVIDENCE_KILLS=200`. */
const { EVIDENCE_KILLS = '12' } = process.env;
const KILLS = Number(EVIDENCE_KILLS);

describe.skipIf(!has('sshd'))('the evidence', () => {
  let sshd: Sshd;
  let echo: LoopbackServer;
  beforeAll(async () => {
    [sshd, echo] = await Promise.all([startSshd(), startEcho()]);
  });
  afterAll(async () => {
    await echo.stop();
    await sshd[Symbol.asyncDispose]();
  });

  const never = new AbortController().signal;
  const start = (changes: { extra?: Record<string, unknown>; wrapper?: readonly string[] } = {}) =>
    startMesh({ sshd, tunnels: { hub: { target: echo.port } }, host: { sessions: 1 }, ...changes });
  const stateOf = ({ endpointPort }: Mesh) => stateDirIn(sshd.directory, endpointPort);
  const control = ({ endpointPort }: Mesh, what: 'up' | 'down') =>
    command(controlSocketIn(sshd.directory, endpointPort), { command: what, names: ['hub'] }, tunnelsResult, never);
  const eventsOf = async (daemon: Daemon) => JSON.parse((await daemon.get('/events')).body).events as Entry[];
  const entriesIn = async (directory: string) => {
    const entries: Entry[] = [];
    for await (const { text } of readLines(directory)) entries.push(parseEntry(text.toString()) as Entry);
    return entries;
  };

  test('shows all events over a restart, and detects a changed entry', async () => {
    await using mesh = await start();
    await mesh.waitForTunnel('up');
    await echoOnce(mesh.port('hub'));
    await control(mesh, 'down');
    await control(mesh, 'up');
    const { availability } = await mesh.waitForTunnel('up');
    expect(Object.keys(availability ?? {})).toEqual(['1h', '24h', '7d', '30d']);
    await mesh.daemon.stop();

    const directory = stateOf(mesh);
    const kept = await entriesIn(directory);
    const told = kept.map(({ event, to }) => (to === undefined ? event : `${event} ${String(to)}`));
    expect(told).toEqual(
      expect.arrayContaining(['daemon.started', 'session.up', 'tunnel.used', 'operator.down', 'tunnel.state stopped']),
    );
    expect(told.at(-1)).toBe('daemon.stopped');

    await using again = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    const used = kept.find(({ event }) => event === 'tunnel.used');
    const { tunnels } = await again.waitFor(({ evidence, state }) => evidence.state === 'ok' && state === 'up');
    expect(tunnels[0]?.usage.last_activity_at?.getTime()).toBeGreaterThanOrEqual(Date.parse(used?.at ?? ''));
    expect(await eventsOf(again)).toEqual(expect.arrayContaining(kept.filter(({ event }) => event !== 'heartbeat')));

    const listed = await runCli(['events', '--config', mesh.configFile, '--tunnel', 'hub']);
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/Z hub: .*stopped: out of service/);
    expect(await runCli(['events', '--config', mesh.configFile, '--tunnel', 'hop'])).toMatchObject({ code: 4 });
    await again.stop();

    if (has('jq')) {
      const out = join(directory, 'proof');
      const proof = await runCli(['events', '--export', '--config', mesh.configFile, '--out', out]);
      expect(proof).toMatchObject({ code: 0, stdout: expect.stringContaining(`sh ${out}/verify.sh`) });
      expect(execFileSync('sh', [join(out, 'verify.sh')], { encoding: 'utf8' })).toMatch(/^intact: \d+ lines/);
    }

    const verify = () => runCli(['events', '--verify', '--dir', directory]);
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining('intact; the last entry is') });
    const file = join(directory, 'events.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('tunnel.used', 'tunnel.lost'));
    const line = kept.findIndex(({ event }) => event === 'tunnel.used') + 1;
    expect(await verify()).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`events.jsonl:${line} was changed after it was written`),
    });
    expect(await runCli(['events', '--verify', '--dir', sshd.directory])).toMatchObject({ code: 2 });
  });

  test('can be followed over a restart of the daemon, without missing or repeating an event', async () => {
    await using mesh = await start();
    await mesh.waitForTunnel('up');
    await using following = spawnCli(['events', '--follow', '--json', '--since', '1h', '--config', mesh.configFile]);
    const seen = () =>
      following
        .stdout()
        .split('\n')
        .flatMap((line) => parseEntry(line) ?? []);
    const sees = (what: string) =>
      waitUntil(`the follower is told of ${what}`, () => seen().some(({ event }) => event === what) || undefined);
    await sees('session.up');
    await control(mesh, 'down');
    await sees('operator.down');
    await mesh.daemon.stop();
    await using again = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
    await again.waitFor(({ state }) => state === 'up');
    const runs = () => seen().filter(({ event }) => event === 'daemon.started').length === 2 || undefined;
    await waitUntil('the follower runs again', runs);
    const last = (await eventsOf(again)).at(-1)?.seq;
    await waitUntil('the follower has all events', () => seen().at(-1)?.seq === last || undefined);
    expect(seen()).toEqual(await eventsOf(again));
  });

  test(`keeps every reported event and an intact chain after kill -9 (${KILLS} times)`, {
    timeout: 180_000 + KILLS * 3_000,
  }, async () => {
    const mesh = await start();
    await mesh[Symbol.asyncDispose]();
    for (let round = 0; round < KILLS; round++) {
      await using daemon = startDaemon({ configFile: mesh.configFile, endpointPort: mesh.endpointPort });
      const reported: Entry[] = [];
      const states: Status['tunnels'][number][] = [];
      const proofs: { readonly out: string; readonly found: Manifest }[] = [];
      const over = new AbortController();
      const repeatedly = async (task: () => Promise<unknown>) => {
        while (!over.signal.aborted) await task().catch(() => pause(5));
      };
      const load = [
        repeatedly(async () => reported.push(...(await eventsOf(daemon)))),
        repeatedly(async () => states.push(...(await daemon.status()).tunnels)),
        repeatedly(() => echoOnce(mesh.port('hub'), 'x', 500)),
        repeatedly(async () => {
          await control(mesh, 'down');
          await control(mesh, 'up');
        }),
        repeatedly(async () => {
          const out = join(sshd.directory, `proof-${round}-${proofs.length}`);
          const found = await exportLog({ directory: stateOf(mesh), out, version: '1', now: new Date() });
          proofs.push({ out, found });
          await pause(50);
        }),
      ];
      const isBusy = () => (reported.length > 0 && states.length > 0 && proofs.length > 0) || undefined;
      await waitUntil('events, states and a proof are there', isBusy);
      await pause(Math.random() * 700);
      daemon.signal('SIGKILL');
      over.abort();
      await Promise.all([daemon.exit, ...load]);

      expect((await verifyLog(stateOf(mesh))).problems).toEqual([]);
      // A proof has the files of a log.
      for (const { out, found } of proofs)
        expect(await verifyLog(out)).toMatchObject({ entries: found.entries, problems: found.problems });
      expect(proofs.flatMap(({ found }) => found.problems)).toEqual([]);
      const kept = new Map((await entriesIn(stateOf(mesh))).filter(Boolean).map((entry) => [entry.seq, entry]));
      for (const entry of reported) expect(kept.get(entry.seq)).toEqual(entry);
      const told = new Set(
        [...kept.values()]
          .filter(({ event }) => event === 'tunnel.state')
          .map(({ at, tunnel }) => `${String(tunnel)} ${at}`),
      );
      for (const { name, since, state } of states)
        expect([state, told]).toEqual([
          state,
          expect.toSatisfy((known: Set<string>) => known.has(`${name} ${since.toISOString()}`)),
        ]);
    }
  });

  test('refuses a second daemon on one state directory, names the first, and harms neither', async () => {
    const extra = { state_dir: join(sshd.directory, 'shared') };
    await using first = await start({ extra });
    await first.waitFor(({ evidence, state }) => state === 'up' && evidence.state === 'ok');
    await using second = await start({ extra });
    expect(await within('the second daemon ends', second.daemon.exit)).toMatchObject({ code: 1 });
    expect(second.daemon.log()).toContain(`another daemon (pid ${first.daemon.pid})`);
    await echoOnce(first.port('hub'));
    await first.waitFor(({ evidence, state }) => state === 'up' && evidence.state === 'ok');
    await first.daemon.stop();
    await using next = await start({ extra });
    await next.waitFor(({ evidence, state }) => state === 'up' && evidence.state === 'ok');
    expect((await verifyLog(extra.state_dir)).problems).toEqual([]);
  });

  test.skipIf(!has('mount'))(
    'survives a full disk without harm to clients, reports it once, and catches up',
    async () => {
      const directory = join(sshd.directory, 'full');
      const mount = 'mkdir -p "$1" && mount -t tmpfs -o size=128k,mode=700 none "$1" && shift && exec "$@"';
      await using mesh = await start({
        extra: { state_dir: directory },
        wrapper: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh', directory],
      });
      await mesh.waitForTunnel('up');
      const inside = `/proc/${mesh.daemon.pid}/root${directory}`;
      // The daemon does not wait for its own record: a disk that is full too early would be told of that too.
      await waitUntil('the daemon has left its record', () =>
        readdirSync(inside).some((name) => RECORD_NAME.test(name)),
      );
      const filler = join(inside, 'filler');
      onTestFinished(() => rmSync(filler, { force: true }));
      expect(() => writeFileSync(filler, Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');
      let commands = 0;
      await waitUntil('the disk is full', async () => {
        commands++;
        await control(mesh, 'down');
        await control(mesh, 'up');
        return (await mesh.daemon.status()).evidence.state === 'failing' || undefined;
      });
      const { advisories, evidence } = await mesh.waitFor(({ state }) => state === 'up');
      expect(advisories).toMatchObject([{ code: 'evidence_unavailable' }]);
      expect(evidence).toMatchObject({ error: expect.stringContaining('ENOSPC'), since: expect.any(Date) });
      expect(evidence.waiting).toBeGreaterThan(0);
      expect(await mesh.metric('evidence_writable')).toBe(0);
      for (let n = 0; n < 20; n++) await echoOnce(mesh.port('hub'));
      const out = join(inside, 'proof');
      await expect(exportLog({ directory: inside, out, version: '1', now: new Date() })).rejects.toThrow('ENOSPC');
      expect(existsSync(out)).toBe(false);

      rmSync(filler);
      await mesh.waitFor((status) => status.evidence.state === 'ok' && status.advisories.length === 0);
      expect(await mesh.metric('evidence_writable')).toBe(1);
      expect((await verifyLog(inside)).problems).toEqual([]);
      const kept = await entriesIn(inside);
      expect(kept.filter(({ event }) => event === 'operator.down')).toHaveLength(commands);
      expect(kept.filter(({ event }) => event === 'log.resumed')).toMatchObject([
        { error: expect.stringContaining('ENOSPC') },
      ]);
      expect(mesh.daemon.records().filter(({ event }) => event === 'evidence.unavailable')).toHaveLength(1);
    },
  );
});
