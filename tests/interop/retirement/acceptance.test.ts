import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { Daemon } from '../../../src/daemon/daemon.ts';
import { acceptanceReport } from '../../../src/retirement/acceptance/report.ts';
import { type Entry, parseEntry } from '../../../src/retirement/evidence/entry.ts';
import { readLines } from '../../../src/retirement/evidence/files.ts';
import { createLogger } from '../../../src/telemetry/log/log.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { stateDirIn, writeFleetConfig } from '../../support/fakes/fleet-config.ts';
import { has } from '../../support/machine/capabilities.ts';
import { freePort, listenLoopback } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

const WINDOW_MS = 4_000;

describe.skipIf(!has('sshd'))('the acceptance of a running node', () => {
  test('passes while the workstation is unreachable, and fails as soon as the workstation is back', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const endpointPort = await freePort();
    const workstationPort = await freePort();
    const config = writeFleetConfig(sshd.directory, {
      endpointPort,
      host: { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile },
      actor: { key: sshd.clientKeyFile },
      tunnels: {
        hub: { listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}`, production: true },
      },
      hosts: { workstation: { address: '127.0.0.1', port: workstationPort, role: 'workstation' } },
      extra: { stop_grace: '500ms' },
    });
    const state = stateDirIn(sshd.directory, endpointPort);
    const entries = async () => {
      const found: Entry[] = [];
      for await (const { text } of readLines(state)) found.push(...[parseEntry(text.toString()) ?? []].flat());
      return found;
    };
    const told = (what: string, matches: (entry: Entry) => boolean) =>
      waitUntil(what, async () => (await entries()).findLast(matches), 20_000);
    const judge = (...more: string[]) =>
      runCli(['acceptance', '--config', config, '--window', `${WINDOW_MS}ms`, '--offline', 'workstation', ...more]);
    const report = async (...more: string[]) => {
      const { code, stdout } = await judge('--json', ...more);
      return { code, ...acceptanceReport.parse(JSON.parse(stdout)) };
    };

    // The built program writes evidence once a minute: too slow for a test.
    const daemon = new Daemon(
      { config: await loadConfig(config, process.env), version: '0', evidenceMs: { heartbeat: 500, look: 500 } },
      createLogger({ level: 'fatal' }),
    );
    await daemon.start();
    try {
      const away = await told('it is away', ({ event }) => event === 'host.unreachable');
      expect(away).toMatchObject({ code: 'connect_refused', address: `127.0.0.1:${workstationPort}` });
      const since = Date.parse(away.at) + WINDOW_MS + 1_000;
      await told('the window is over', ({ event, at }) => event === 'heartbeat' && Date.parse(at) > since);

      const filed = await judge('--out', sshd.directory);
      expect(filed).toMatchObject({ code: 0, stdout: expect.stringContaining('**PASS**') });
      const names = readdirSync(sshd.directory).filter((name) => name.startsWith('acceptance-railiance01-'));
      const [json = '', md = ''] = names.toSorted();
      expect(readFileSync(join(sshd.directory, md), 'utf8')).toBe(filed.stdout);
      const passed = acceptanceReport.parse(JSON.parse(readFileSync(join(sshd.directory, json), 'utf8')));
      expect(passed).toMatchObject({
        reasons: [],
        tunnels: [{ name: 'hub', availability: 1, outages: 0, way: ['coulombcore'] }],
        host: { unreachable_throughout: true, codes: ['connect_refused'], last_seen_before: null },
      });
      expect(passed.host.checks).toBeGreaterThan(2);

      await using _ = await listenLoopback(
        (socket) => {
          socket.on('end', () => socket.end());
          socket.write('SSH-2.0-Workstation\r\n');
        },
        { port: workstationPort },
      );
      const seen = await told('it is there', ({ event }) => event === 'host.reachable');
      await told('a heartbeat later', ({ event, at }) => event === 'heartbeat' && at > seen.at);
      const failed = await report();
      expect([failed.code, failed.verdict]).toEqual([1, 'FAIL']);
      expect(failed.reasons).toMatchObject([
        { code: 'host_seen', from: seen.at, message: expect.stringContaining('"SSH-2.0-Workstation"') },
      ]);
      expect(failed.tunnels).toMatchObject([{ availability: 1 }]);

      // An earlier proof stays valid.
      const { code: _code, ...again } = await report('--until', passed.as_of);
      expect(again).toEqual(passed);
    } finally {
      await daemon.stop(new AbortController().signal);
    }
  });
});
