import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Status } from '../../../../src/telemetry/status/status.ts';
import { startLoop } from '../../../support/clients/request-loop.ts';
import { echoOnce } from '../../../support/clients/steady-client.ts';
import { type MeshTunnel, startMesh } from '../../../support/daemon/mesh.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { patient } from '../../../support/patience.ts';
import { hashedLines, hashedName } from '../../../support/peers/hashed-known-hosts.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { startEcho } from '../../../support/peers/targets.ts';

const LINES = 20_000;
const LONG = 10_000;
const LINKS = ['one', 'two', 'three', 'four', 'five', 'six'];

/** The sshd's host keys between many other lines, each hashed. */
function writeLongKnownHosts(sshd: Sshd): string {
  const own = sshd.hostKeys().map(({ publicKey }) => `${hashedName(`[127.0.0.1]:${sshd.port}`)} ${publicKey}`);
  const path = join(sshd.directory, 'long_known_hosts');
  writeFileSync(path, `${[...hashedLines(LINES), ...own].join('\n')}\n`);
  return path;
}

interface While {
  /** Nine of ten requests took no longer, in milliseconds: one slow request may be the fault of a busy machine. */
  readonly mostMs: number;
  readonly failures: number;
}

async function measure(port: number, act: () => Promise<unknown>): Promise<While> {
  const took: number[] = [];
  const loop = startLoop(async () => took.push(await echoOnce(port)), 10);
  await act();
  const { failures } = await loop.stop();
  return { mostMs: took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.9)] ?? 0, failures: failures.length };
}

/** Requests in a while in which nothing happens, and in the while in which `act` runs. */
async function compare(port: number, act: () => Promise<void>): Promise<{ atRest: While; meanwhile: While }> {
  const atRest = await measure(port, () => pause(2_000));
  return { atRest, meanwhile: await measure(port, act) };
}

function report(atRest: While, meanwhile: While, lag: number): void {
  process.stderr.write(
    `loop: nine of ten requests within ${atRest.mostMs.toFixed(0)} ms at rest, ${meanwhile.mostMs.toFixed(0)} ms meanwhile; ` +
      `longest delay ${(lag * 1_000).toFixed(0)} ms\n`,
  );
}

/** Hosts that no tunnel uses, as the YAML of this many lines or more. */
function spareHosts(lines: number) {
  const host = { address: '192.0.2.1', user: 'nobody', role: 'experimental', known_hosts: '~/.ssh/known_hosts' };
  return Object.fromEntries(Array.from({ length: lines / 5 }, (_, index) => [`spare${index}`, { ...host }]));
}

/** The text of a plan with this many lines or more. */
function planOf(lines: number): string {
  const steps = Array.from({ length: lines / 5 }, (_, index) => ({
    id: `1.${index}`,
    action: 'something',
    done_when: 'done',
    done: { at: '2026-07-20T10:00:00Z', evidence: 'seen' },
  }));
  return stringify({
    version: 1,
    gates: [],
    waves: [{ id: 1, title: 'one', requires: [], steps }],
    workloads: [],
    exceptions: [],
  });
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
    report(atRest, meanwhile, lag);
    expect(readFileSync(known_hosts, 'utf8').split('\n').length).toBeGreaterThan(LINES);
    expect(meanwhile.failures).toBe(0);
    expect(meanwhile.mostMs).toBeLessThan(atRest.mostMs + patient(300));
    expect(lag).toBeGreaterThan(0);
    expect(lag).toBeLessThan(patient(100) / 1_000);
  });

  it('serves an untouched tunnel while a reload reads 10,000 lines of YAML and of plan, and opens an encrypted key', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    // Of 64 rounds: ssh2 alone would stop everything for 0.8 s.
    const locked = join(sshd.directory, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '64', '-N', 'secret', '-C', '', '-f', locked]);
    sshd.authorize(readFileSync(`${locked}.pub`, 'utf8').trim());
    const passphrase_file = join(sshd.directory, 'passphrase');
    writeFileSync(passphrase_file, 'secret', { mode: 0o600 });
    const plan = join(sshd.directory, 'plan.yaml');
    writeFileSync(plan, planOf(LONG));
    const host = {
      address: '127.0.0.1',
      role: 'draining',
      port: sshd.port,
      user: sshd.user,
      known_hosts: sshd.knownHostsFile,
    };
    await using mesh = await startMesh({ sshd, tunnels: { untouched: { target: echo.port } }, extra: { plan } });
    await mesh.waitFor(({ state }) => state === 'up', patient(30_000));

    // Written before: this process would stand still for the text, and its requests with it.
    await mesh.write({
      hosts: { busy: host, ...spareHosts(LONG) },
      actors: { busy: { key: locked, passphrase_file } },
      tunnels: { untouched: { target: echo.port }, busy: { host: 'busy', actor: 'busy', target: echo.port } },
    });
    const { atRest, meanwhile } = await compare(mesh.port('untouched'), async () => {
      appendFileSync(plan, '# changed\n');
      expect((await mesh.reload()).config.last_reload?.error).toBeNull();
      await mesh.waitFor(({ tunnels }) => tunnels.every(({ state }) => state === 'up'), patient(30_000));
    });
    const lag = await mesh.metric('event_loop_lag_seconds');
    report(atRest, meanwhile, lag);
    expect(readFileSync(mesh.configFile, 'utf8').split('\n').length).toBeGreaterThan(LONG);
    expect((await mesh.daemon.status()).plan?.last_load.ok).toBe(true);
    expect(meanwhile.failures).toBe(0);
    // Each of the three, done in one piece, takes longer.
    expect(lag).toBeLessThan(patient(100) / 1_000);
  });
});
