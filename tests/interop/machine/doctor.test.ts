import { chmodSync, copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LinkFindings } from '../../../src/machine/doctor/finding.ts';
import { doctor } from '../../../src/operator/commands/doctor.ts';
import { generateKey } from '../../support/certificates/keys.ts';
import { startCertifiedLab } from '../../support/daemon/certified-mesh.ts';
import { runCli } from '../../support/daemon/daemon.ts';
import { writeFleetConfig } from '../../support/fakes/fleet-config.ts';
import { has } from '../../support/machine/capabilities.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { freePort, type LoopbackServer } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startBanner, startEcho } from '../../support/peers/targets.ts';
import { waitUntil } from '../../support/wait-until.ts';

let sshd: Sshd;
let strict: Sshd;
let echo: LoopbackServer;
let silent: LoopbackServer;

beforeAll(async () => {
  if (!has('sshd')) return;
  [sshd, strict] = await Promise.all([startSshd(), startSshd({ extraConfig: ['AllowTcpForwarding no'] })]);
  echo = await startEcho();
  silent = await startBanner('');
});
afterAll(async () => {
  await echo?.stop();
  await silent?.stop();
  await Promise.all([sshd?.[Symbol.asyncDispose](), strict?.[Symbol.asyncDispose]()]);
});

interface Patient {
  readonly on?: Sshd;
  readonly host?: Record<string, unknown>;
  readonly actor?: Record<string, unknown>;
  readonly tunnel?: Record<string, unknown>;
  readonly tryCertCommand?: boolean;
  readonly extra?: Record<string, unknown>;
  /** Where the unit loads its credentials from. */
  readonly keys?: string;
}

async function examine(
  { on = sshd, host = {}, actor = {}, tunnel = {}, tryCertCommand = false, extra = {}, keys }: Patient,
  ...args: '--json'[]
) {
  using temp = tempDir('doctor');
  const config = writeFleetConfig(temp.path, {
    endpointPort: await freePort(),
    host: { port: on.port, user: on.user, known_hosts: on.knownHostsFile, connect_timeout: '20s', ...host },
    actor: { key: on.clientKeyFile, ...actor },
    extra,
    tunnels: { hub: { listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}`, ...tunnel } },
  });
  if (args.length === 0) return await runCli(['doctor', '--config', config]);
  // In this process: a start of the program for each row would take longer than all that they look at.
  let stdout = '';
  const out = (text: string) => {
    stdout += text;
  };
  const io = { out, err: () => {}, signal: new AbortController().signal, env: process.env };
  const code = await doctor({ name: undefined, config, tryCertCommand, listen: true, json: true }, io, keys);
  return { code, stdout, stderr: '' };
}

describe.skipIf(!has('sshd'))('fleet-mesh doctor', { concurrent: true }, () => {
  it('passes every step without a daemon, one line a step', async () => {
    const { code, stdout, stderr } = await examine({ tunnel: { probe: { tcp: {} } } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toBe(`coulombcore as atm-fleet-mesh (${sshd.user}@127.0.0.1 port ${sshd.port})`);
    expect(lines.slice(1, -1).map((line) => line.split(/ {2,}/)[2]?.replace(/:.*/, ''))).toEqual([
      'dns',
      'tcp',
      'banner',
      'known hosts',
      'credential',
      'host key',
      'authentication',
      'forward hub',
      'target hub',
    ]);
    expect(stdout).toContain('SSH-2.0-OpenSSH');
    expect(stdout).toContain('passes the probe');
    expect(lines.at(-1)).toBe('All checks passed.');
  });

  it.each<[string, string, string, () => Promise<Patient>]>([
    [
      'a name that is none',
      'dns',
      'dns_failed',
      async () => ({ host: { address: 'nowhere.invalid', known_hosts: await knows('nowhere.invalid', sshd) } }),
    ],
    [
      'a misspelt host that known_hosts does not have',
      'dns',
      'dns_failed',
      async () => ({ host: { address: 'nowhere.invalid' } }),
    ],
    [
      'a wrong port that known_hosts does not have',
      'tcp',
      'connect_refused',
      async () => ({ host: { port: await freePort() } }),
    ],
    [
      'another service on a port that known_hosts does not have',
      'banner',
      'connect_timeout',
      async () => ({ host: { port: silent.port, connect_timeout: '2s' } }),
    ],
    [
      'a wrong port',
      'tcp',
      'connect_refused',
      async () => {
        const port = await freePort();
        return { host: { port, known_hosts: await knows(`[127.0.0.1]:${port}`, sshd) } };
      },
    ],
    [
      'a port where something else is, which waits for us to speak',
      'banner',
      'connect_timeout',
      async () => {
        const known_hosts = await knows(`[127.0.0.1]:${silent.port}`, sshd);
        return { host: { port: silent.port, known_hosts, connect_timeout: '2s' } };
      },
    ],
    [
      'a wrong host key',
      'host key',
      'host_key_changed',
      async () => ({ host: { known_hosts: await knows(`[127.0.0.1]:${sshd.port}`, strict) } }),
    ],
    [
      'an unknown host',
      'known hosts',
      'host_key_unknown',
      async () => ({ host: { known_hosts: await knows('elsewhere', sshd) } }),
    ],
    [
      'a key that others can read',
      'credential',
      'key_permissions',
      async () => ({ actor: { key: await strangersKey(0o644) } }),
    ],
    ['a missing key', 'credential', 'key_unreadable', async () => ({ actor: { key: '/nowhere/key' } })],
    ['a wrong key', 'authentication', 'auth_rejected', async () => ({ actor: { key: await strangersKey(0o600) } })],
    ['AllowTcpForwarding no', 'forward', 'forward_denied', async () => ({ on: strict })],
    [
      'a target that refuses',
      'target',
      'target_refused',
      async () => ({ tunnel: { target: `127.0.0.1:${await freePort()}` } }),
    ],
    [
      'a probe that fails',
      'target',
      'target_unreachable',
      async () => ({ tunnel: { probe: { banner: '220 ', every: '500ms', timeout: '400ms' } } }),
    ],
    [
      'a remote listener that is forbidden',
      'forward',
      'remote_listen_denied',
      async () => ({ on: strict, tunnel: { direction: 'remote' } }),
    ],
  ])('stops at %s, and prints the fix', async (_, step, errorCode, make) => {
    const { code, stdout } = await examine(await make(), '--json');
    const { ok, links } = JSON.parse(stdout) as { ok: boolean; links: LinkFindings[] };
    const failed = links.flatMap(({ findings }) => findings).filter(({ verdict }) => verdict === 'failed');
    expect({ code, ok, failed: failed.map(({ step: at, error }) => [at, error?.code]) }).toEqual({
      code: 1,
      ok: false,
      failed: [[step, errorCode]],
    });
    expect(failed[0]?.error?.hint).toMatch(/\w/);
  });

  it('looks at the network before the key file and known_hosts, and names the setting', async () => {
    const stepsOf = async (patient: Patient) => {
      const { links } = JSON.parse((await examine(patient, '--json')).stdout) as { links: LinkFindings[] };
      return links.flatMap(({ findings }) => findings);
    };
    const port = await freePort();
    const wrong = await stepsOf({ host: { port } });
    expect(wrong.find(({ verdict }) => verdict === 'failed')?.error?.hint).toContain(
      `hosts.coulombcore.port (${port})`,
    );
    expect(wrong.find(({ step }) => step === 'known hosts')?.verdict).toBe('skipped');
    const unknown = await stepsOf({ host: { known_hosts: await knows('elsewhere', sshd) } });
    expect(unknown.slice(0, 4).map(({ step, verdict }) => `${step} ${verdict}`)).toEqual([
      'dns ok',
      'tcp ok',
      'banner ok',
      'known hosts failed',
    ]);
  });

  it('names the process that holds the listen port', async () => {
    const { code, stdout } = await examine({ tunnel: { listen: `127.0.0.1:${echo.port}` } }, '--json');
    expect(code).toBe(1);
    const { links } = JSON.parse(stdout) as { links: LinkFindings[] };
    const failed = links.flatMap(({ findings }) => findings).filter(({ verdict }) => verdict === 'failed');
    expect(failed).toEqual([
      expect.objectContaining({ step: 'listen', error: expect.objectContaining({ code: 'listen_in_use' }) }),
    ]);
    expect(failed[0]?.detail).toMatch(
      new RegExp(`127\\.0\\.0\\.1:${echo.port} is held by .+ \\(pid ${process.pid}\\)`),
    );
  });

  it('logs in with the key that the unit will load, and names the copy that is missing', async () => {
    using temp = tempDir('keys');
    const ask = () => examine({ actor: { key: 'credential:key_ops' }, keys: temp.path }, '--json');
    const seen = ({ stdout }: { stdout: string }) =>
      (JSON.parse(stdout) as { links: LinkFindings[] }).links
        .flatMap(({ findings }) => findings)
        .find(({ step }) => step === 'credential');
    const missing = await ask();
    expect(missing.code).toBe(1);
    expect(seen(missing)?.error?.hint).toContain('Copy the private key to /etc/fleet-mesh/keys/ops');
    copyFileSync(sshd.clientKeyFile, join(temp.path, 'ops'));
    chmodSync(join(temp.path, 'ops'), 0o600);
    const found = await ask();
    expect(found.code).toBe(0);
    expect(seen(found)?.detail).toContain(`from ${join(temp.path, 'ops')}, which the unit loads as credential:key_ops`);
  });

  it('offers a rejected credential once for any number of tunnels', async () => {
    await using lonely = await startSshd();
    using temp = tempDir('doctor');
    const key = await strangersKey(0o600);
    const tunnel = async () => ({ listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}` });
    const config = writeFleetConfig(temp.path, {
      endpointPort: await freePort(),
      host: { port: lonely.port, user: lonely.user, known_hosts: lonely.knownHostsFile },
      actor: { key },
      tunnels: { a: await tunnel(), b: await tunnel(), c: await tunnel() },
    });
    const { code, stdout } = await runCli(['doctor', 'coulombcore', '--config', config]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAIL {2}authentication:.*\[auth_rejected\]\n {8}fix: /);
    expect(stdout.match(/skip {2}forward [abc]: +not checked: no session/g)).toHaveLength(3);
    const offers = () => lonely.log().match(/Failed publickey|Connection (closed|reset) by authenticating user/g) ?? [];
    await waitUntil('sshd says so', () => offers().length > 0, 5_000, lonely.log);
    expect(offers()).toHaveLength(1);
  });

  it('binds a remote listener briefly, and checks each hop over a jump host', async () => {
    const remote = await examine({ tunnel: { direction: 'remote' } });
    expect(remote).toMatchObject({ code: 0 });
    expect(remote.stdout).toContain('the server may listen on');
    using temp = tempDir('doctor');
    const known = await knows(`[127.0.0.1]:${sshd.port}`, sshd);
    const config = writeFleetConfig(temp.path, {
      endpointPort: await freePort(),
      host: { port: sshd.port, user: sshd.user, known_hosts: known, jump: 'bastion' },
      hosts: { bastion: { address: '127.0.0.1', port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile } },
      actor: { key: sshd.clientKeyFile },
      tunnels: { hub: { listen: `127.0.0.1:${await freePort()}`, target: `127.0.0.1:${echo.port}` } },
    });
    const { code, stdout } = await runCli(['doctor', 'hub', '--config', config]);
    expect({ code, links: stdout.match(/^\S+ as .*/gm) }).toMatchObject({
      code: 0,
      links: [/^bastion/, /^coulombcore/].map((name) => expect.stringMatching(name)),
    });
    expect(stdout).toMatch(/ok +jump: +through bastion/);
  });

  it('runs cert_command only with --try-cert-command, and does not store the certificate', async () => {
    await using lab = await startCertifiedLab();
    const stateDir = join(lab.sshd.directory, 'untouched');
    const patient = { on: lab.sshd, actor: lab.actor, extra: { state_dir: stateDir } };
    const untried = await examine(patient, '--json');
    expect([untried.code, untried.stdout]).toEqual([1, expect.stringContaining('--try-cert-command')]);
    expect(lab.signing.runs()).toBe(0);
    const { code, stdout } = await examine({ ...patient, tryCertCommand: true }, '--json');
    expect([code, stdout]).toEqual([0, expect.stringContaining('certificate SHA256:')]);
    expect(lab.signing.runs()).toBe(1);
    expect(existsSync(stateDir)).toBe(false);

    lab.signing.set({ down: 'the CA is having lunch' });
    const down = await examine({ ...patient, tryCertCommand: true }, '--json');
    expect([down.code, down.stdout]).toEqual([1, expect.stringContaining('the CA is having lunch')]);
  });

  it('lists the errors of an invalid configuration, and ends with 78', async () => {
    const { code, stderr } = await examine({ host: { port: 'http' } });
    expect(code).toBe(78);
    expect(stderr).toMatch(/tunnels\.yaml:\d+:\d+: hosts\.coulombcore\.port/);
  });

  async function strangersKey(mode: number): Promise<string> {
    const directory = tempDir('key').path;
    const { path } = generateKey(join(directory, 'stranger'));
    chmodSync(path, mode);
    return path;
  }

  /** A known_hosts file in which `name` has the keys of that server. */
  async function knows(name: string, server: Sshd): Promise<string> {
    const path = join(tempDir('known').path, 'known_hosts');
    writeFileSync(
      path,
      server
        .hostKeys()
        .map(({ publicKey }) => `${name} ${publicKey}\n`)
        .join(''),
    );
    return path;
  }
});
