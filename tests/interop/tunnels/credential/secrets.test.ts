import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { type Canary, canary, findCanaries, keyCanaries } from '../../../support/certificates/canary.ts';
import { generateKey, keygen } from '../../../support/certificates/keys.ts';
import { type Daemon, runCli, startDaemon } from '../../../support/daemon/daemon.ts';
import { writeFleetConfig } from '../../../support/fakes/fleet-config.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { childrenOf, nameOf } from '../../../support/machine/proc.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { freePort } from '../../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../../support/peers/real-sshd.ts';
import { type SshAgent, startSshAgent } from '../../../support/peers/ssh-agent.ts';
import { waitUntil } from '../../../support/wait-until.ts';

describe('the search for canaries', () => {
  const secret = canary('it', 'Canary/passphrase+42?');
  it.each(['latin1', 'hex', 'base64', 'base64url'] as const)('finds a canary in %s at any position', (encoding) => {
    for (const before of ['', 'a', 'ab', 'abc']) {
      const text = Buffer.from(`${before}Canary/passphrase+42? and more`).toString(encoding);
      expect(findCanaries([secret], `x ${text} y`)).not.toEqual([]);
    }
  });

  it('finds no canary in other text', () => {
    expect(findCanaries([secret], `canary ${Buffer.from('another secret').toString('base64')}`)).toEqual([]);
  });
});

describe.skipIf(!has('sshd') || !has('ssh-keygen') || !has('ssh-agent') || !has('procfs'))('secrets', () => {
  const PASSPHRASE = 'canary-passphrase-Zq7';
  const WRONG = 'canary-wrong-passphrase-Xw3';
  /** A variable that the commands get. */
  const ENVIRONMENT = 'canary-environment-Rt5';
  /** A variable that only the daemon gets. */
  const OWN = 'canary-daemons-own-Bd8';
  const PRINTED = 'canary-printed-Lk9';
  const COMPLAINED = 'canary-complained-Mn2';

  let sshd: Sshd;
  let agent: SshAgent;
  let dir: TempDir;
  let configFile = '';
  let endpointPort = 0;
  let env: Record<string, string> = {};
  const canaries: Canary[] = [
    canary('the passphrase', PASSPHRASE),
    canary('the wrong passphrase', WRONG),
    canary('the environment', ENVIRONMENT),
    canary("the daemon's own variable", OWN),
    canary('what cert_command printed', PRINTED),
    canary('what cert_command complained of', COMPLAINED),
  ];

  const path = (name: string) => join(dir.path, name);
  const write = (name: string, content: string, mode = 0o600) => {
    writeFileSync(path(name), content, { mode });
    return path(name);
  };

  beforeAll(async () => {
    dir = tempDir('secrets');
    const ca = generateKey(path('ca'));
    canaries.push(...keyCanaries('key ca', readFileSync(ca.path, 'utf8')));
    sshd = await startSshd({ extraConfig: [`TrustedUserCAKeys ${ca.publicPath}`] });
    agent = await startSshAgent();

    const key = (name: string, passphrase = '') => {
      const made = generateKey(path(name));
      canaries.push(...keyCanaries(`key ${name}`, readFileSync(made.path, 'utf8')));
      if (passphrase !== '') keygen('-q', '-p', '-P', '', '-N', passphrase, '-f', made.path);
      return made;
    };
    write('right.passphrase', `${PASSPHRASE}\n`);
    const opened = key('opened', PASSPHRASE);
    const held = key('held');
    sshd.authorize(opened.publicKey);
    sshd.authorize(held.publicKey);
    await agent.add(held.path);
    const rejected = key('rejected');
    key('closed', PASSPHRASE);
    const exposed = key('exposed');
    chmodSync(exposed.path, 0o644);
    const damaged = readFileSync(key('damaged').path, 'utf8');
    writeFileSync(path('damaged'), damaged.replace('AAAA', 'AAAB').replace(/\n(.{20})/, '\n$1!!'));
    keygen('-q', '-p', '-m', 'PKCS8', '-P', '', '-N', '', '-f', generateKey(path('pkcs8'), { type: 'ecdsa' }).path);
    canaries.push(canary('key pkcs8', readFileSync(path('pkcs8'), 'utf8').split('\n')[1] ?? ''));

    const script = `echo ${PRINTED}; echo "password: ${COMPLAINED}" >&2; exit 1`;
    const actors = {
      held: { key: 'agent' },
      rejected: { key: rejected.path },
      closed: { key: path('closed'), passphrase_file: write('wrong.passphrase', `${WRONG}\n`) },
      exposed: { key: exposed.path },
      damaged: { key: path('damaged') },
      pkcs8: { key: path('pkcs8') },
      certified: {
        key: key('certified', PASSPHRASE).path,
        passphrase_file: path('right.passphrase'),
        cert_command: ['ssh-keygen', '-s', ca.path, '-I', 'certified', '-n', sshd.user, '-V', '+5m', '{pubkey}'],
      },
      complaining: { key: key('complaining').path, cert_command: ['sh', '-c', script, 'sh', '{pubkey}'] },
      garbage: { key: key('garbage').path, cert_command: ['echo', PRINTED] },
      endless: { key: key('endless').path, cert_command: ['yes', PRINTED] },
      waiting: { key: key('waiting').path, cert_command: ['sleep', '60'], cert_timeout: '2s' },
    };
    mkdirSync(path('state'), { mode: 0o700 });
    endpointPort = await freePort();
    const target = `127.0.0.1:${sshd.port}`;
    const ports = await Promise.all(['opened', ...Object.keys(actors)].map(() => freePort()));
    const tunnels = ['atm-fleet-mesh', ...Object.keys(actors)].map((actor, index) => [
      actor,
      { actor, listen: `127.0.0.1:${ports[index]}`, target, probe: { banner: 'SSH-2.0', every: '1s' } },
    ]);
    configFile = writeFleetConfig(dir.path, {
      endpointPort,
      host: { port: sshd.port, user: sshd.user, known_hosts: sshd.knownHostsFile, sessions: 1 },
      actor: { key: opened.path, passphrase_file: path('right.passphrase') },
      actors,
      tunnels: Object.fromEntries(tunnels),
      extra: { log: { level: 'trace' }, state_dir: path('state') },
    });
    env = { ...agent.env, VAULT_TOKEN: ENVIRONMENT, CREDENTIALS_DIRECTORY: `/nonexistent/${OWN}` };
  });

  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  /** Waits until the good links are up, and each other one has an error. */
  async function settle(daemon: Daemon): Promise<void> {
    const good = ['atm-fleet-mesh', 'held', 'certified'];
    const status = await daemon.waitFor(
      ({ links }) =>
        links.length === 12 &&
        links.every(({ actor, state, last_error }) => (good.includes(actor) ? state === 'up' : last_error !== null)),
      30_000,
    );
    const failed = new Map(status.links.map(({ actor, last_error }) => [actor, last_error?.code]));
    expect(Object.fromEntries(failed)).toMatchObject({
      closed: 'key_unreadable',
      damaged: 'key_unreadable',
      pkcs8: 'key_unreadable',
      exposed: 'key_permissions',
      rejected: 'auth_rejected',
      complaining: 'cert_command_failed',
      garbage: 'cert_invalid',
      endless: 'cert_command_failed',
      waiting: 'cert_command_timeout',
    });
  }

  function start(wrapperEnv: Record<string, string> = {}): Daemon {
    // A core dump has every secret: check that none exists.
    const wrapper = ['sh', '-c', 'ulimit -c 0; exec "$@"', 'sh'];
    return startDaemon({ configFile, endpointPort, env: { ...env, ...wrapperEnv }, wrapper });
  }

  /** Every file below the directory, as one text. */
  function contents(directory: string): string {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join('\n');
  }

  function expectClean(daemon: Daemon, shown: Readonly<Record<string, string>> = {}): void {
    const places = { log: daemon.log(), state: contents(path('state')), ...shown };
    expect(daemon.log()).toContain('daemon.started');
    for (const [place, text] of Object.entries(places)) {
      expect(findCanaries(canaries, text).map((found) => `${found} in ${place}`)).toEqual([]);
    }
  }

  test('shows, saves and passes on no secret in a whole run', async () => {
    await using daemon = start();
    // Selects by program name: a new child first looks like its parent.
    const child = await waitUntil(
      'a cert_command runs',
      () => childrenOf(daemon.pid).find((pid) => nameOf(pid) === 'sleep'),
      20_000,
    );
    const [argv, environ] = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${child}/${name}`, 'latin1'));
    await settle(daemon);
    const text = { accept: 'text/plain' };
    expectClean(daemon, {
      status: (await daemon.get('/status')).body,
      table: (await daemon.get('/status', text)).body,
      one: (await daemon.get('/status/closed')).body,
      readiness: (await daemon.get('/readyz?production=true')).body,
      metrics: (await daemon.get('/metrics')).body,
      "a child's arguments": argv ?? '',
      "a child's environment": (environ ?? '').replace(`VAULT_TOKEN=${ENVIRONMENT}`, ''),
      arguments: readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1'),
      'fleet-mesh check': JSON.stringify(await runCli(['check', '--config', configFile], env)),
      'fleet-mesh status': JSON.stringify(await runCli(['status', '--config', configFile, '--json'], env)),
    });
    expect(environ).toContain(`VAULT_TOKEN=${ENVIRONMENT}`);
    expect(environ).not.toMatch(/SSH_AUTH_SOCK|CREDENTIALS_DIRECTORY/);
    expect(readdirSync(path('state/certificates/certified')).sort()).toContain('current.pub');
    daemon.signal('SIGHUP');
    await daemon.waitFor(({ config }) => config.last_reload !== null);
    await daemon.stop();
    expectClean(daemon);
  });

  test('shows no secret in a crash of the daemon', async () => {
    const crash = write('crash.mjs', "process.on('SIGUSR2', () => { throw new Error('crash'); });\n");
    await using daemon = start({ NODE_OPTIONS: `--import=${crash}` });
    await settle(daemon);
    daemon.signal('SIGUSR2');
    const exit = await daemon.exit;
    expect(exit.code).not.toBe(0);
    await waitUntil('the crash is in the log', () => daemon.log().includes('crash'));
    expectClean(daemon);
  });

  test('shows no secret in an abort', async () => {
    await using daemon = start();
    await settle(daemon);
    daemon.signal('SIGABRT');
    expect(await daemon.exit).toMatchObject({ signal: 'SIGABRT' });
    expectClean(daemon);
  });
});
