import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { status as statusSchema, tunnelStatus } from '../../../src/telemetry/status/status.ts';
import { runCli, spawnCli } from '../../support/daemon/daemon.ts';
import { hasSessions, startMesh, tunnelOf } from '../../support/daemon/mesh.ts';
import { has } from '../../support/machine/capabilities.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { descendantsOf, isAlive, signal } from '../../support/machine/proc.ts';
import { freePort } from '../../support/peers/loopback.ts';
import { startSshd } from '../../support/peers/real-sshd.ts';
import { startEcho } from '../../support/peers/targets.ts';
import { waitUntil, within } from '../../support/wait-until.ts';

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));

/** Runs a command on a terminal of its own, whose output is the process's standard output. */
const PTY = [requirePython(), '-I', '-c', 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'];

function requirePython(): string {
  return has('python3') ? requireProgram('python3') : '';
}

describe.skipIf(!has('sshd'))('fleet-mesh status', { concurrent: true }, () => {
  it('shows tunnels and links in words, and exits with 0 if all are up and with 1 if not', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const probe = { tcp: {}, every: '500ms', timeout: '400ms', fall: 1, rise: 1 };
    const refused = await freePort();
    await using mesh = await startMesh({
      sshd,
      tunnels: {
        good: { target: echo.port, production: true, note: 'the good one' },
        bad: { target: refused, probe },
      },
    });
    await mesh.waitFor(hasSessions(2));
    await mesh.waitForTunnel('degraded', 'bad');
    const config = ['--config', mesh.configFile];

    const all = await runCli(['status', ...config]);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout).toMatch(/good +up/);
    expect(all.stdout).toMatch(/bad +degraded/);
    expect(all.stdout).toContain('refused the connection');
    expect(all.stdout).toMatch(/coulombcore/);
    expect(all.stdout).not.toContain('\x1b');
    expect((await mesh.daemon.get('/status?format=text', { accept: '*/*' })).body).toContain('refused the connection');

    expect((await runCli(['status', '--color', 'always', ...config])).stdout).toContain('\x1b[32m');
    expect(await runCli(['status', '--color', 'pink', ...config])).toMatchObject({ code: 64, stdout: '' });

    expect((await runCli(['status', 'good', ...config])).code).toBe(0);
    expect((await runCli(['status', 'bad', ...config])).code).toBe(1);
    const unknown = await runCli(['status', 'goood', ...config]);
    expect(unknown).toMatchObject({ code: 4, stdout: '' });
    expect(unknown.stderr).toContain('Did you mean good?');
    expect((await runCli(['status', '--nonsense'])).code).toBe(64);
    expect((await runCli(['status', '--endpoint', 'not an address'])).code).toBe(64);

    const endpoint = ['--endpoint', `http://127.0.0.1:${mesh.endpointPort}`];
    const json = await runCli(['status', '--json', ...endpoint]);
    expect(json.code).toBe(0);
    expect(tunnelOf(statusSchema.parse(JSON.parse(json.stdout)), 'good').note).toBe('the good one');
    const one = await runCli(['status', 'bad', '--json', ...endpoint]);
    expect(tunnelStatus.parse(JSON.parse(one.stdout))).toMatchObject({ name: 'bad', state: 'degraded' });
    expect(one.code).toBe(1);

    await sshd.stop();
    await mesh.waitForTunnel('down', 'good');
    const down = await runCli(['status', ...config]);
    expect(down.code).toBe(1);
    expect(down.stdout).toContain('no SSH session to coulombcore');
  });

  it('exits with 2 and a hint when no daemon answers', async () => {
    const { code, stdout, stderr } = await runCli(['status', '--endpoint', `127.0.0.1:${await freePort()}`]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/refused: the daemon is not running/);
    expect(stderr).toContain('--endpoint');
  });

  it('prints one line per change with --watch without a terminal, and ends at Ctrl-C', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port, production: true } } });
    await mesh.waitFor(hasSessions(2));
    await using watch = spawnCli(['status', '--watch', '--config', mesh.configFile]);
    await waitUntil('the first line', () => watch.stdout().includes('echo up'));
    await sshd.stop();
    await waitUntil('the loss', () => watch.stdout().includes('echo down'));
    await sshd.restart();
    await waitUntil('the recovery', () => watch.stdout().split('echo up').length >= 3, 15_000, watch.stdout);
    watch.child.kill('SIGINT');
    expect(await within('it ends', watch.exit)).toMatchObject({ code: 0 });
    const lines = watch.stdout().trim().split('\n');
    expect(lines.every((line) => /^\d{4}-\d\d-\d\dT\S+Z (up|down)/.test(line))).toBe(true);
    expect(watch.stdout()).not.toContain('\x1b');
  });

  it('ends --watch when its reader has left', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    await using watch = spawnCli(['status', '--watch', '--config', mesh.configFile]);
    await waitUntil('the first line', () => watch.stdout().includes('echo up'));
    watch.child.stdout?.destroy();
    await sshd.stop();
    expect(await within('it ends', watch.exit)).toMatchObject({ signal: null });
    expect(watch.stderr()).toBe('');
  });

  it.skipIf(!has('python3'))('redraws a colour table with --watch on a terminal', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const args = ['status', '--watch', '--config', mesh.configFile];
    await using watch = spawnCli(args, { TERM: 'xterm', NO_COLOR: undefined }, PTY);
    await waitUntil('three tables', () => watch.stdout().split('\x1b[H').length >= 4, 15_000, watch.stdout);
    expect(watch.stdout()).toContain('\x1b[32m');
    expect(watch.stdout()).toContain('Ctrl-C ends');
    // A killed command gives the terminal back.
    for (const pid of descendantsOf(watch.pid)) signal(pid, 'SIGTERM');
    await within('it ends', watch.exit);
    expect(watch.stdout()).toContain('\x1b[?1049l');
  });

  it.skipIf(!has('python3'))('sorts, filters, shows a tunnel and ends by keys with --watch on a terminal', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    const tunnels = { web: { target: echo.port, production: true }, api: { target: echo.port } };
    await using mesh = await startMesh({ sshd, tunnels });
    await mesh.waitFor(hasSessions(2));
    const [program = '', ...pty] = PTY;
    const args = [...pty, process.execPath, CLI, 'status', '--watch', '--config', mesh.configFile];
    await using watch = spawnOwned(program, args, {
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const screen = () => stripVTControlCharacters(watch.stdout().split('\x1b[H').at(-1) ?? '');
    const press = (keys: string) => watch.child.stdin?.write(keys);
    await waitUntil('the table', () => /web +up[\s\S]*api +up/.test(screen()), 15_000, screen);
    expect(watch.stdout()).toContain('\x1b[?1049h');
    // Each line begins in the first column, and no control character is printed as text.
    expect(screen()).toMatch(/\r\n/);
    expect(screen()).not.toMatch(/[^\r]\n|\\u00/);
    press('ss');
    await waitUntil('sorted by name', () => /api +up[\s\S]*web +up/.test(screen()), 15_000, screen);
    press('/we\r');
    await waitUntil('only web', () => screen().includes('hides 1') && !/^api/m.test(screen()), 15_000, screen);
    press('\r');
    await waitUntil('the detail', () => /why:[\s\S]*way:/.test(screen()), 15_000, screen);
    press('q');
    expect(await within('it ends', watch.exit)).toMatchObject({ code: 0 });
    expect(watch.stdout()).toContain('\x1b[?1049l');
  });

  it.skipIf(!has('python3'))('suspends --watch at Ctrl-Z, goes on with fg, and ends with its terminal', async () => {
    await using sshd = await startSshd();
    await using echo = await startEcho();
    await using mesh = await startMesh({ sshd, tunnels: { echo: { target: echo.port } } });
    await mesh.waitFor(hasSessions(2));
    const [program = '', ...pty] = PTY;
    await using shell = spawnOwned(program, [...pty, 'bash', '--norc', '--noprofile', '-i'], {
      env: { ...process.env, TERM: 'xterm', PS1: 'ready> ', FLEET_MESH_CONFIG: mesh.configFile },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const since = (from: number) => stripVTControlCharacters(shell.stdout().slice(from));
    const type = async (keys: string, answer: RegExp) => {
      const from = shell.stdout().length;
      shell.child.stdin?.write(keys);
      await waitUntil(`the answer to ${JSON.stringify(keys)}`, () => answer.test(since(from)), 15_000, shell.stdout);
    };
    const modes = 'stty -a | grep -Eo -- "-?(icanon|echo)\\b" | tr "\\n" " "; echo end\n';
    await waitUntil('the shell', () => shell.stdout().includes('ready>'), 15_000, shell.stdout);
    const errors = join(sshd.directory, 'errors');
    const watch = `'${process.execPath}' '${CLI}' status --watch 2> '${errors}'\n`;
    await type(watch, /echo +up/);
    await type('\x1a', /Stopped/);
    expect(shell.stdout().split('\x1b[?1049l')).toHaveLength(2);
    await type(modes, /[\r\n]icanon echo end/);
    await type('fg\n', /echo +up[\s\S]*echo +up/);
    const [child] = descendantsOf(shell.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`).includes('--watch'));
    // The terminal is closed: no core dump of Node, which would restore the modes of the terminal.
    for (const pid of descendantsOf(shell.pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'bash\n'))
      signal(pid, 'SIGKILL');
    await waitUntil('the watch has ended', () => !isAlive(child ?? 0), 15_000);
    expect(readFileSync(errors, 'utf8')).toBe('');
  });
});
