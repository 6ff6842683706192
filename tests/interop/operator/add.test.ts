import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli, startDaemon } from '../../support/daemon/daemon.ts';
import { Transcript, transcriptOn } from '../../support/daemon/transcript.ts';
import { has } from '../../support/machine/capabilities.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { type Sshd, startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

/** A user without any file of ours, and with the key that the server lets in. */
function emptyHome(sshd: Sshd, directory: TempDir) {
  const runtime = join(directory.path, 'run');
  mkdirSync(runtime, { mode: 0o700 });
  const env = {
    HOME: directory.path,
    XDG_RUNTIME_DIR: runtime,
    RUNTIME_DIRECTORY: undefined,
    STATE_DIRECTORY: undefined,
    FLEET_MESH_CONFIG: join(directory.path, '.config/fleet-mesh/tunnels.yaml'),
  };
  const knownHosts = join(directory.path, '.ssh/known_hosts');
  const destination = ['-i', sshd.clientKeyFile, `${sshd.user}@127.0.0.1:${sshd.port}`];
  return { env, file: env.FLEET_MESH_CONFIG, knownHosts, destination };
}

/** Shows this transcript; a run with FLEET_MESH_RECORD_TRANSCRIPT set writes it there. */
const PAGE = new URL('../../../docs/first-tunnel.md', import.meta.url);

function fingerprintOf(sshd: Sshd): string {
  return sshd.hostKeys()[0]?.fingerprint ?? 'none';
}

describe.skipIf(!has('sshd'))('fleet-mesh init and add', { concurrent: true }, () => {
  it('go from an empty home to a tunnel that is up', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const { env, file, knownHosts, destination } = emptyHome(sshd, home);
    const [one, two] = [await freePort(), await freePort()];
    const transcript = new Transcript([
      [home.path, '~'],
      [sshd.clientKeyFile, '~/.ssh/id_ed25519'],
      ['client_key', 'id_ed25519'],
      [`${one}:127.0.0.1:${echo.port}`, '15432:10.0.0.12:5432'],
      [`127.0.0.1:${echo.port}`, '10.0.0.12:5432'],
      ['resolves to 127.0.0.1', 'resolves to 192.0.2.7'],
      [`${sshd.user}@127.0.0.1`, 'fleet@bastion.example.net'],
      [`${sshd.user} logs in`, 'fleet logs in'],
      ['127.0.0.1', 'bastion.example.net'],
      [`port ${sshd.port}`, 'port 2222'],
      [`:${sshd.port}`, ':2222'],
    ]);
    const made = await runCli(['init'], env);
    transcript.add(['init'], made.stdout);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await runCli(['check'], env)).toMatchObject({ code: 0 });
    const again = await runCli(['init'], env);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });

    // The endpoint must not be the usual port: other tests run beside this one.
    const endpointPort = await freePort();
    writeFileSync(file, `${readFileSync(file, 'utf8')}endpoint: { listen: 127.0.0.1:${endpointPort} }\n`);
    const addDb = ['add', 'db', '-L', `${one}:127.0.0.1:${echo.port}`, '--accept-new', ...destination];
    const first = await runCli(addDb, env);
    transcript.add(addDb, first.stdout);
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toContain('All checks passed.');
    expect(first.stdout).toContain('No daemon runs');
    expect(first.stdout).toContain('fleet-mesh run');
    expect(readFileSync(knownHosts, 'utf8')).toContain(`[127.0.0.1]:${sshd.port} ssh-ed25519 `);

    await using daemon = startDaemon({ configFile: file, endpointPort, env });
    transcript.add(['run &'], '');
    await daemon.waitFor((status) => status.tunnels[0]?.state === 'up');
    const up = await runCli(['up', 'db'], env);
    transcript.add(['up', 'db'], up.stdout);
    expect(up).toMatchObject({ code: 0, stderr: '' });
    const { FLEET_MESH_RECORD_TRANSCRIPT: record } = process.env;
    expect(transcriptOn(PAGE, record === undefined ? undefined : transcript.text)).toBe(transcript.text);
    const second = await runCli(['add', 'cache', '-L', `${two}:127.0.0.1:${echo.port}`, ...destination, '--json'], env);
    expect(second, second.stdout + second.stderr).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(second.stdout)).toMatchObject({
      ok: true,
      tunnel: 'cache',
      host_keys: [],
      doctor: { ok: true },
      daemon: 'reloaded',
      state: 'up',
    });
    const status = await daemon.status();
    expect(status.tunnels.map(({ name, state }) => [name, state])).toEqual([
      ['db', 'up'],
      ['cache', 'up'],
    ]);
    // One host and one actor serve both.
    expect(status.links).toHaveLength(1);
  });

  it('refuses an unknown host key without a terminal, shows the fingerprint, and changes nothing', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    const { env, file, destination } = emptyHome(sshd, home);
    await runCli(['init'], env);
    const before = readFileSync(file, 'utf8');
    const refused = await runCli(['add', 'db', '-L', '15432:127.0.0.1:5432', ...destination], env);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(fingerprintOf(sshd));
    expect(refused.stderr).toMatch(/without a terminal[\s\S]*--accept-new[\s\S]*Nothing was changed/);
    // A label of 64 characters is no name: the resolver asks nobody.
    const noName = ['-i', sshd.clientKeyFile, 'x'.repeat(64)];
    const alias = await runCli(['add', 'db', '-L', '15432:127.0.0.1:5432', ...noName], env);
    expect(alias).toMatchObject({ code: 1, stderr: expect.stringMatching(/dns_failed[\s\S]*import ssh-config/) });
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(() => statSync(join(home.path, '.ssh'))).toThrow('ENOENT');
  });

  it('never accepts a changed host key, even with --accept-new, and changes nothing', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    await using other = await startSshd();
    const { env, file, knownHosts, destination } = emptyHome(sshd, home);
    await runCli(['init'], env);
    const before = readFileSync(file, 'utf8');
    mkdirSync(join(home.path, '.ssh'));
    const [, type = '', key = ''] = readFileSync(other.knownHostsFile, 'utf8').split(/\s+/);
    const line = `[127.0.0.1]:${sshd.port} ${type} ${key}\n`;
    writeFileSync(knownHosts, line);
    const refused = await runCli(['add', 'db', '-L', '15432:127.0.0.1:5432', '--accept-new', ...destination], env);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('host_key_changed');
    expect(refused.stdout).not.toContain('tunnel db is in');
    expect(refused.stderr).toMatch(/not the expected one, so the tunnel was not added\. Nothing was changed\./);
    expect(readFileSync(knownHosts, 'utf8')).toBe(line);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it.skipIf(!has('python3'))('asks on a terminal: "no" changes nothing, the pasted fingerprint is a yes', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const { env, file, knownHosts, destination } = emptyHome(sshd, home);
    await runCli(['init'], env);
    const before = readFileSync(file, 'utf8');
    const args = ['add', 'db', '-L', `${await freePort()}:127.0.0.1:${echo.port}`, ...destination];
    const answering = async (answer: string) => {
      const pty = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';
      const cli = join(import.meta.dirname, '../../../dist/cli.js');
      await using child = spawnOwned(requireProgram('python3'), ['-I', '-c', pty, process.execPath, cli, ...args], {
        env: { ...process.env, ...env },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      await waitUntil('the question', () => child.stdout().includes('paste the fingerprint'), 15_000, child.stdout);
      child.child.stdin?.write(`${answer}\n`);
      const { code } = await within('it ends', child.exit, 30_000);
      return { code, text: child.stdout() };
    };
    expect(await answering('no')).toMatchObject({ code: 1, text: expect.stringContaining('not accepted') });
    expect(readFileSync(file, 'utf8')).toBe(before);
    const accepted = await answering(fingerprintOf(sshd));
    expect(accepted).toMatchObject({ code: 0, text: expect.stringContaining(fingerprintOf(sshd)) });
    expect(readFileSync(knownHosts, 'utf8')).toContain(`[127.0.0.1]:${sshd.port} `);
    expect(readFileSync(file, 'utf8')).toContain('  db:\n');
  });

  it('keeps a tunnel whose check fails out of force, and goes on when the command is repeated', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const { env, file, destination } = emptyHome(sshd, home);
    const port = await freePort();
    // Nobody listens on the target yet.
    const target = await freePort();
    const args = ['add', 'db', '-L', `${port}:127.0.0.1:${target}`, '--accept-new', ...destination];
    const failed = await runCli(args, env);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('not in force') });
    expect(failed.stdout).toContain('target_refused');
    const written = readFileSync(file, 'utf8');
    const other = await runCli(['add', 'db', '-L', `${port}:127.0.0.1:${echo.port}`, ...destination], env);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('with other settings') });
    const repeated = await runCli(args, env);
    expect(repeated.stdout).toContain('tunnel db was in');
    expect(readFileSync(file, 'utf8')).toBe(written);
  });

  it('reaches a host over a jump host, both unknown before', async () => {
    using home = tempDir('add');
    await using bastion = await startSshd();
    await using inner = await startSshd();
    await using echo = await startEcho();
    const { env, knownHosts } = emptyHome(bastion, home);
    inner.authorize(readFileSync(`${bastion.clientKeyFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' '));
    const jump = `${bastion.user}@127.0.0.1:${bastion.port}`;
    const destination = `${inner.user}@127.0.0.1:${inner.port}`;
    const forward = ['-L', `${await freePort()}:127.0.0.1:${echo.port}`];
    const added = await runCli(
      ['add', 'db', ...forward, '-i', bastion.clientKeyFile, '-J', jump, destination, '--accept-new', '--json'],
      env,
    );
    expect(added, added.stdout + added.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(added.stdout).host_keys).toEqual([
      { address: '127.0.0.1', port: bastion.port, fingerprint: fingerprintOf(bastion) },
      { address: '127.0.0.1', port: inner.port, fingerprint: fingerprintOf(inner) },
    ]);
    expect(readFileSync(knownHosts, 'utf8').trim().split('\n')).toHaveLength(2);
  });

  it('adds remote and dynamic tunnels', async () => {
    using home = tempDir('add');
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const { env, file, destination } = emptyHome(sshd, home);
    const remote = ['add', 'web', '-R', `${await freePort()}:127.0.0.1:${echo.port}`, '--accept-new', ...destination];
    expect(await runCli(remote, env)).toMatchObject({ code: 0 });
    const dynamic = await runCli(['add', 'socks', '-D', String(await freePort()), ...destination], env);
    expect(dynamic, dynamic.stdout + dynamic.stderr).toMatchObject({ code: 0 });
    const open = await runCli(['add', 'proxy', '-D', `0.0.0.0:${await freePort()}`, ...destination], env);
    expect(open).toMatchObject({ code: 64, stderr: expect.stringContaining('allow_remote') });
    expect(readFileSync(file, 'utf8')).toMatch(/direction: remote[\s\S]*direction: dynamic/);
    expect(await runCli(['check'], env)).toMatchObject({ code: 0 });
  });

  it.each<[string, string[], RegExp]>([
    ['no forward', ['db', 'user@host'], /expected -L, -R or -D/],
    ['two forwards', ['db', '-L', '1:a:2', '-D', '3', 'user@host'], /cannot be used with/],
    ['a name with capitals', ['DB', '-L', '8000:db:1', 'user@host'], /"DB" is not a name/],
    ['half a forward', ['db', '-L', '8000', 'user@host'], /is not a forward; expected -L/],
    ['a destination that is none', ['db', '-L', '8000:db:1', 'user@'], /is not a destination/],
    ['a port beyond 65535', ['db', '-L', '70000:db:1', 'user@host'], /ports from 1 to 65535/],
    ['a directory as key', ['db', '-L', '8000:db:1', '-i', '/', 'user@host'], /no file; expected a private key/],
    [
      'a wrong --timeout',
      ['db', '-L', '8000:db:1', 'user@host', '--timeout', 'soon'],
      /expected --timeout with .*"soon"/,
    ],
    ['--allow-remote with -L', ['db', '-L', '8000:db:1', 'user@host', '--allow-remote'], /is for -D alone/],
    ['a missing key', ['db', '-L', '8000:db:1', '-i', '/nowhere/key', 'user@host'], /does not exist/],
    ['an unknown actor', ['db', '-L', '8000:db:1', '--actor', 'nobody', 'user@host'], /there is no actor "nobody"/],
  ])('says what is wrong about %s, and ends with 64', async (_, args, message) => {
    using home = tempDir('add');
    const env = { HOME: home.path, FLEET_MESH_CONFIG: join(home.path, 'tunnels.yaml') };
    const { code, stderr } = await runCli(['add', ...args], env);
    expect(stderr).toMatch(message);
    expect(code).toBe(64);
    expect(() => statSync(env.FLEET_MESH_CONFIG)).toThrow('ENOENT');
  });
});
