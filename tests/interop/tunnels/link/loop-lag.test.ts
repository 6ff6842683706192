import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { type LoopResult, startRequestLoop } from '../../../support/clients/request-loop.ts';
import { type MeshTunnel, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { hashedLines, hashedName } from '../../../support/peers/hashed-known-hosts.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const LINES = 20_000;
const LINKS = ['one', 'two', 'three', 'four', 'five', 'six'];

/** The sshd's host keys between many other lines, each hashed. */
function writeLongKnownHosts(sshd: Sshd): string {
  const own = sshd.hostKeys().map(({ publicKey }) => `${hashedName(`[127.0.0.1]:${sshd.port}`)} ${publicKey}`);
  const path = join(sshd.directory, 'long_known_hosts');
  writeFileSync(path, `${[...hashedLines(LINES), ...own].join('\n')}\n`);
  return path;
}

/** The slowest request of a while in which nothing happens, and of the while in which `act` runs. */
async function compare(port: number, act: () => Promise<void>): Promise<{ atRest: LoopResult; meanwhile: LoopResult }> {
  const quiet = startRequestLoop(port, 10);
  await pause(2_000);
  const atRest = await quiet.stop();
  const loop = startRequestLoop(port, 10);
  await act();
  return { atRest, meanwhile: await loop.stop() };
}

describe.skipIf(!has('sshd'))('the event loop', () => {
  it('serves an untouched tunnel while six links search 20,000 hashed lines of known_hosts', async () => {
    await using quiet = await startSshd();
    await using busy = await startSshd({ extraConfig: ['MaxStartups 100'] });
    await using echo = await startEcho();
    const known_hosts = writeLongKnownHosts(busy);
    const host = { address: '127.0.0.1', role: 'draining', port: busy.port, user: busy.user, known_hosts, sessions: 1 };
    const tunnels: Record<string, MeshTunnel> = { untouched: { target: echo.port } };
    for (const name of LINKS) tunnels[name] = { host: name, actor: 'busy', target: echo.port };
    await using mesh = await startMesh({
      sshd: quiet,
      tunnels,
      hosts: Object.fromEntries(LINKS.map((name) => [name, host])),
      actors: { busy: { key: busy.clientKeyFile } },
    });
    await mesh.waitFor(({ links }) => links.every(({ state }) => state === 'up'), patient(30_000));
    const sessionOf = ({ host, sessions: [session] }: Status['links'][number]) => `${host} ${session?.id}`;
    const before = (await mesh.daemon.status()).links.map(sessionOf);
    const { atRest, meanwhile } = await compare(mesh.port('untouched'), async () => {
      appendFileSync(known_hosts, '# changed\n');
      busy.killSessions();
      await mesh.waitFor(
        ({ links }) =>
          links.every(({ state }) => state === 'up') &&
          links.filter((link) => !before.includes(sessionOf(link))).length === LINKS.length,
        patient(30_000),
      );
    });
    const lag = await mesh.metric('event_loop_lag_seconds');
    process.stderr.write(
      `loop: slowest request ${atRest.slowestMs.toFixed(0)} ms at rest, ${meanwhile.slowestMs.toFixed(0)} ms meanwhile; ` +
        `longest delay ${(lag * 1_000).toFixed(0)} ms\n`,
    );
    expect(readFileSync(known_hosts, 'utf8').split('\n').length).toBeGreaterThan(LINES);
    expect(meanwhile.failures).toEqual([]);
    expect(meanwhile.slowestMs).toBeLessThan(atRest.slowestMs + patient(50));
    expect(lag).toBeGreaterThan(0);
    expect(lag).toBeLessThan(patient(50) / 1_000);
  });
});
