import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from 'ssh2';
import { describe, expect, it } from 'vitest';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { hasSessions, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { processorSeconds, residentBytes } from '../../../support/machine/daemon-holdings.ts';
import { patient } from '../../../support/patience.ts';
import { FLOODS } from '../../../support/peers/attacks.ts';
import { startEmbeddedSshd } from '../../../support/peers/embedded-sshd.ts';
import { rawPeer } from '../../../support/peers/raw-peer.ts';
import { startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const MB = 1_000_000;
const SECONDS = 5;

/** The costly ones: each filled the memory or took the processor. */
const WORST = [
  'requests whose answers it never reads',
  'channels whose refusal it never reads',
  'requests whose answers it reads',
  'messages to ignore',
  'key exchanges without end',
];

describe.skipIf(!has('sshd'))('a daemon with one hostile server among its hosts', () => {
  it.each(WORST)('keeps its memory, its processor and its other links through %s', async (name) => {
    const honestIds = ({ links }: Status) =>
      links.find(({ host }) => host === 'honest')?.sessions.map(({ id }) => id) ?? [];
    let logins = 0;
    let attack: ((connection: Connection) => void) | undefined;
    await using hostile = await startEmbeddedSshd({
      onLogin: (connection) => {
        logins++;
        attack?.(connection);
      },
    });
    await using honest = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({
      sshd: hostile,
      hosts: {
        honest: {
          address: '127.0.0.1',
          port: honest.port,
          user: honest.user,
          role: 'draining',
          known_hosts: honest.knownHostsFile,
        },
      },
      actors: { 'agt-honest': { key: honest.clientKeyFile } },
      tunnels: {
        bad: { target: echo.port },
        good: { host: 'honest', actor: 'agt-honest', target: echo.port },
      },
    });
    const honestBefore = honestIds(await mesh.waitFor(hasSessions(2)));
    const cpuBefore = processorSeconds(mesh.daemon.pid);
    const before = residentBytes(mesh.daemon.pid);
    const loggedInBefore = logins;

    attack = (connection) => FLOODS[name]?.(rawPeer(connection));
    for (const connection of hostile.connections) attack(connection);
    let most = 0;
    for (const until = performance.now() + SECONDS * 1_000; performance.now() < until; await pause(20))
      most = Math.max(most, residentBytes(mesh.daemon.pid));
    const cpu = processorSeconds(mesh.daemon.pid) - cpuBefore;
    attack = undefined;

    await waitUntil('the daemon logged in again', () => logins > loggedInBefore);
    expect(honestIds(await mesh.daemon.status())).toEqual(expect.arrayContaining(honestBefore));
    await echoOnce(mesh.port('good'), 'untouched', patient(2_000));
    expect((most - before) / MB).toBeLessThan(64);
    expect(cpu).toBeLessThan(SECONDS * 0.4);
    const { links } = await mesh.waitFor(({ links: all }) => all.some(({ last_error: error }) => error !== null));
    expect(links.find(({ host }) => host === 'coulombcore')?.last_error?.code).toBe('protocol_error');
    process.stderr.write(
      `${name}: +${((most - before) / MB).toFixed(0)} MB, ${cpu.toFixed(2)} s of CPU in ${SECONDS} s\n`,
    );
  });
});
