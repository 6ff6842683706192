import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { splitCommand } from '../../../../src/config/command-line.ts';
import { type CertCommand, runCertCommand } from '../../../../src/tunnels/credential/cert-command.ts';
import { generateKey, type KeyFile, keygen } from '../../../support/certificates/keys.ts';
import { has } from '../../../support/machine/capabilities.ts';
import { expectNoLeaks, type Holdings, takeBaseline } from '../../../support/machine/leaks.ts';
import { Mark } from '../../../support/machine/left-behind.ts';
import { type TempDir, tempDir } from '../../../support/machine/temp-dir.ts';
import { patient } from '../../../support/patience.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** Looks like a signed certificate from the outside; this module does not check the content. */
const CERTIFICATE = 'ssh-ed25519-cert-v01@openssh.com AAAA somebody';
const SECRET = 'hvs.CAESIBvcanary0123456789';
const TIMEOUT_MS = 400;
/** For commands that hang after their first line, which a busy machine delays. */
const SPOKEN_MS = 2_000;
/** For commands that end by themselves, which a busy machine delays. */
const UNREACHED_MS = 20_000;
/** Time on top of the limit: SIGTERM, SIGKILL, the reaping of orphans, and a busy machine. */
const LONGEST_MS = TIMEOUT_MS + 1_750 + 2_000;

const never = new AbortController().signal;

/** Whether children inherit a descriptor of this process (proc(5), fdinfo; O_CLOEXEC). */
function isInheritable(fd: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & 0o2_000_000) === 0;
}

describe.skipIf(!has('procfs'))('cert_command', () => {
  let dir: TempDir;
  let publicKeyPath = '';
  let baseline: Holdings;

  const file = (name: string, content: string, mode: number) => {
    const path = join(dir.path, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };

  beforeAll(async () => {
    dir = tempDir('cert-command');
    publicKeyPath = join(dir.path, 'atm key.pub');
    writeFileSync(publicKeyPath, 'ssh-ed25519 AAAA\n');
    await runCertCommand(commandOf(sh(`echo ${CERTIFICATE}`)), never);
    baseline = await takeBaseline();
  });

  afterAll(async () => {
    await expectNoLeaks(baseline);
    dir[Symbol.dispose]();
  });

  function commandOf(argv: readonly string[], differently: Partial<CertCommand> = {}): CertCommand {
    return { argv, publicKeyPath, timeoutMs: UNREACHED_MS, env: process.env, ...differently };
  }

  /** `$1` is the path of the public key. */
  const sh = (script: string) => ['sh', '-c', script, 'sh', '{pubkey}'];

  /** Runs the command to its end, and checks that it ends in time and leaves no process. */
  async function run(argv: readonly string[], differently: Partial<CertCommand> = {}): Promise<string> {
    const mark = new Mark();
    const started = performance.now();
    try {
      return await runCertCommand(commandOf(argv, { env: { ...process.env, ...mark.env }, ...differently }), never);
    } finally {
      expect(performance.now() - started).toBeLessThan(patient((differently.timeoutMs ?? TIMEOUT_MS) + LONGEST_MS));
      expect(mark.living()).toEqual([]);
    }
  }

  describe.concurrent('fails', () => {
    it.each<[string, string, string | RegExp, number?]>([
      [
        'hangs',
        'echo waiting for a browser >&2; sleep 60',
        'cert_command did not finish within 2 s: waiting for a browser',
        SPOKEN_MS,
      ],
      [
        'forks and ignores SIGTERM',
        "trap '' TERM; sh -c \"trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done\" & for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done",
        'cert_command did not finish within 0.4 s',
      ],
      ['closes its output early and hangs', 'exec >&- 2>&-; sleep 60', 'cert_command did not finish within 0.4 s'],
      ['has a child in a session of its own', 'setsid sleep 60 & sleep 60', 'cert_command did not finish within 0.4 s'],
      [
        'has a child that leaves its session twice and ignores SIGTERM',
        `setsid sh -c "trap '' TERM; setsid sleep 60 & for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done" & sleep 60`,
        'cert_command did not finish within 0.4 s',
      ],
      ['reads from its input', 'read answer || { echo no answer >&2; sleep 60; }', /: no answer$/, SPOKEN_MS],
    ])('rejects with cert_command_timeout when the command %s', async (_, script, message, timeoutMs = TIMEOUT_MS) => {
      await expect(run(sh(script), { timeoutMs })).rejects.toMatchObject({
        code: 'cert_command_timeout',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      });
    });

    it.each<[string, string, string | RegExp]>([
      ['prints 1 GB', 'exec head -c 1000000000 /dev/zero', /^cert_command printed more than 64 KiB/],
      [
        'prints 1 GB from a child, and ends',
        'head -c 1000000000 /dev/zero & exit 0',
        // The child may print an error about its lost output.
        /^cert_command printed more than 64 KiB/,
      ],
      [
        'writes 1 GB to standard error',
        'echo start >&2; exec head -c 1000000000 /dev/zero >&2',
        /^cert_command wrote more than 1024 KiB to standard error: \uFFFD$/,
      ],
      ['exits 1', 'echo first >&2; echo denied >&2; exit 1', 'cert_command failed with exit code 1: denied'],
      [
        'exits 1 with a secret on standard error',
        `echo "token ${SECRET} is not valid, password=${SECRET}" >&2; exit 1`,
        'cert_command failed with exit code 1: token [redacted] is not valid, password=[redacted]',
      ],
      [
        'exits 1 with a certificate on its output',
        `echo ${CERTIFICATE}; exit 1`,
        'cert_command failed with exit code 1',
      ],
      ['is killed', 'kill -9 $$', 'cert_command was killed by SIGKILL'],
      [
        'closes its output early and prints nothing',
        'exec >&-; sleep 0.1',
        /^cert_command printed nothing and did not write /,
      ],
      ['asks on the terminal', 'read answer </dev/tty', /^cert_command failed with exit code \d: .*\/dev\/tty/],
    ])('rejects with cert_command_failed when the command %s', async (_, script, message) => {
      await expect(run(sh(script))).rejects.toMatchObject({
        code: 'cert_command_failed',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      });
    });

    it.each<[string, () => string, string]>([
      ['is missing', () => join(dir.path, 'missing'), 'does not exist'],
      ['is not on the PATH', () => 'fleet-mesh-no-such-program', 'is not on the PATH'],
      ['is not executable', () => file('plain', '#!/bin/sh\n', 0o644), 'is not executable by the daemon user'],
      ['is a directory', () => dir.path, 'is a directory'],
      ['has a missing interpreter', () => file('lost', '#!/no/such\n', 0o755), 'the interpreter'],
      ['has NUL in its name', () => 'a\0b', 'is not on the PATH'],
    ])('rejects with cert_command_failed when the program %s', async (_, program, message) => {
      await expect(run([program(), '{pubkey}'])).rejects.toMatchObject({
        code: 'cert_command_failed',
        message: expect.stringContaining(message),
      });
    });

    it('rejects with cert_command_failed when the working directory is missing', async () => {
      await expect(run(['true'], { workingDirectory: join(dir.path, 'gone') })).rejects.toMatchObject({
        code: 'cert_command_failed',
        message: `the working directory of cert_command, ${dir.path}/gone, is not a directory`,
      });
    });

    it('leaves no process when the daemon stops during a run', async () => {
      const mark = new Mark();
      const stopping = new AbortController();
      const env = { ...process.env, ...mark.env };
      const marker = join(dir.path, 'runs');
      const done = runCertCommand(
        commandOf(sh(`touch ${marker}; sleep 60 & sleep 60`), { env, timeoutMs: 60_000 }),
        stopping.signal,
      );
      const reason = expect(done).rejects.toThrow('stopping');
      await expect.poll(() => existsSync(marker)).toBe(true);
      stopping.abort(new Error('stopping'));
      await reason;
      expect(mark.living()).toEqual([]);
    });
  });

  describe.concurrent('succeeds', () => {
    it.each<[string, string, string]>([
      ['prints it', `echo ${CERTIFICATE}`, `${CERTIFICATE}\n`],
      [
        'prints it without a newline, slowly',
        `printf '%s' ${CERTIFICATE.slice(0, 9)}; sleep 0.1; printf '%s' '${CERTIFICATE.slice(9)}'`,
        CERTIFICATE,
      ],
      ['leaves a child that holds its output', `sleep 60 & echo ${CERTIFICATE}`, `${CERTIFICATE}\n`],
      [
        'leaves a child that ignores SIGTERM',
        `sh -c "trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done" >/dev/null 2>&1 & echo ${CERTIFICATE}`,
        `${CERTIFICATE}\n`,
      ],
      ['has a child that prints a little later', `(sleep 0.1; echo ${CERTIFICATE}) &`, `${CERTIFICATE}\n`],
      // A later check decides whether the output is a usable certificate.
      ['prints two', `echo ${CERTIFICATE}; echo ${CERTIFICATE}`, `${CERTIFICATE}\n${CERTIFICATE}\n`],
      ['prints garbage', 'echo garbage', 'garbage\n'],
      ['prints an HTML page', `echo '<!DOCTYPE html><html>'`, '<!DOCTYPE html><html>\n'],
    ])('returns the output when the command %s', async (_, script, output) => {
      expect(await run(sh(script))).toBe(output);
    });

    it('leaves a daemon alone that the command starts in a session of its own before it succeeds', async () => {
      const mark = new Mark();
      const pidFile = join(dir.path, 'daemon.pid');
      const script = `setsid sh -c 'echo $$ >${pidFile}; exec sleep 60' >/dev/null 2>&1 & until [ -s ${pidFile} ]; do sleep 0.05; done; echo ${CERTIFICATE}`;
      const env = { ...process.env, ...mark.env };
      expect(await runCertCommand(commandOf(sh(script), { env }), never)).toBe(`${CERTIFICATE}\n`);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      await waitUntil('the daemon has become sleep', () => mark.living().join() === `sleep (${pid})`);
      process.kill(pid, 'SIGKILL');
    });

    it('puts the public key path in place of each {pubkey}, also with blanks, without a shell', async () => {
      const argv = ['printf', '%s\\n', CERTIFICATE, '{pubkey}', '--key={pubkey}:{pubkey}', '$HOME', '*', ''];
      const words = [CERTIFICATE, publicKeyPath, `--key=${publicKeyPath}:${publicKeyPath}`, '$HOME', '*', ''];
      expect(await run(argv)).toBe(`${words.join('\n')}\n`);
    });

    it('runs the command in its working directory and its own session, without a terminal and other open files', async () => {
      const script =
        'pwd; cut -d" " -f1,5,6,7 /proc/$$/stat; readlink /proc/$$/fd/0; ls /proc/$$/fd; echo $0 x-cert-v01@openssh.com x';
      const [where, stat = '', input, ...rest] = (await run(sh(script), { workingDirectory: dir.path })).split('\n');
      const [pid, group, session, terminal] = stat.split(' ');
      expect([where, group, session, terminal, input]).toEqual([dir.path, pid, pid, '0', '/dev/null']);
      // High descriptors come from the parent of this process.
      expect(rest.slice(0, -2).filter((fd) => Number(fd) < 16 || !isInheritable(fd))).toEqual(['0', '1', '2']);
    });

    it('passes no variable of the daemon to the command', async () => {
      const { PATH } = process.env;
      const own = {
        NOTIFY_SOCKET: '/n',
        LISTEN_FDS: '1',
        CREDENTIALS_DIRECTORY: '/c',
        SSH_AUTH_SOCK: '/a',
        NODE_OPTIONS: '',
      };
      const env = { PATH, VAULT_ADDR: 'https://vault.example', ...own };
      const output = await runCertCommand(commandOf(['sh', '-c', `env; echo ${CERTIFICATE}`], { env }), never);
      const names = output.split('\n').flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
      expect(names.filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
        // The mark of the run: a random number.
        'FLEET_MESH_RUN',
        'PATH',
        'VAULT_ADDR',
      ]);
    });
  });

  describe('writes a file', () => {
    let path = '';
    beforeAll(() => {
      path = join(dir.path, 'atm key-cert.pub');
    });

    it('reads the file beside the public key only if this run wrote the file', async () => {
      const write = sh(`echo Signed user key; echo ${CERTIFICATE} > "\${1%.pub}-cert.pub"`);
      expect(await run(write)).toBe(`${CERTIFICATE}\n`);
      // The same content counts if it was written again.
      expect(await run(write)).toBe(`${CERTIFICATE}\n`);
      expect(await run(sh('echo Nothing signed'))).toBe('Nothing signed\n');
      await expect(run(['true'])).rejects.toMatchObject({ code: 'cert_command_failed' });
    });

    it('prefers printed output to the file', async () => {
      expect(await run(sh(`echo ${CERTIFICATE} | tee "\${1%.pub}-cert.pub" >/dev/null; echo ${CERTIFICATE} 2`))).toBe(
        `${CERTIFICATE} 2\n`,
      );
    });

    it.each([
      ['is huge', 'head -c 70000 /dev/zero > "$2"', /is larger than 64 KiB/],
      ['is a link elsewhere', 'ln -sf /etc/passwd "$2"', /cannot be read/],
      ['is a pipe', 'rm "$2"; mkfifo "$2"', /is not a regular file/],
      ['is a directory', 'rm "$2"; mkdir "$2"', /is not a regular file/],
    ])('rejects a file that %s', async (_, script, message) => {
      await expect(run(['sh', '-c', script, 'sh', '{pubkey}', path])).rejects.toMatchObject({
        code: 'cert_command_failed',
        message: expect.stringMatching(message),
      });
    });
  });

  describe.skipIf(!has('ssh-keygen'))('ssh-keygen -s', () => {
    let ca: KeyFile;
    let key: KeyFile;
    beforeAll(() => {
      mkdirSync(join(dir.path, 'keys'), { mode: 0o700 });
      ca = generateKey(join(dir.path, 'keys', 'ca'));
      key = generateKey(join(dir.path, 'keys', 'atm'));
    });

    const sign = () => ['ssh-keygen', '-q', '-s', ca.path, '-I', 'atm', '-n', 'atm', '-V', '+5m', '{pubkey}'];
    const expectSigned = (certificate: string) => {
      const copy = file('signed-cert.pub', certificate, 0o600);
      expect(keygen('-L', '-f', copy)).toContain(`Public key: ED25519-CERT ${key.fingerprint}`);
    };

    it('reads the certificate that ssh-keygen writes, run after run', async () => {
      expectSigned(await run(sign(), { publicKeyPath: key.publicPath }));
      expectSigned(await run(sign(), { publicKeyPath: key.publicPath }));
    });

    it('signs with the command of docs/certificates.md', async () => {
      const page = readFileSync(new URL('../../../../docs/certificates.md', import.meta.url), 'utf8');
      const lines = [...page.matchAll(/^cert_command: (.*)$/gm)].map(([, line = '']) => splitCommand(line, dir.path));
      expect(lines).toHaveLength(5);
      const argv = lines.find((words): words is string[] => 'length' in words && words[0] === 'ssh-keygen') ?? [];
      mkdirSync(join(dir.path, '.ssh'), { mode: 0o700 });
      generateKey(join(dir.path, '.ssh', 'user_ca'));
      expectSigned(await run(argv, { publicKeyPath: key.publicPath }));
    });

    it('reads the certificate that a wrapper prints', async () => {
      const wrapper = file(
        'wrapper',
        '#!/bin/sh\nset -e\n"$@" >&2\nfor key; do :; done\ncat "$(dirname "$key")/atm-cert.pub"\n',
        0o755,
      );
      expectSigned(await run([wrapper, ...sign()], { publicKeyPath: key.publicPath }));
    });

    it('fails immediately with the message of ssh-keygen when the CA key needs a passphrase', async () => {
      const locked = generateKey(join(dir.path, 'keys', 'locked'), { passphrase: 'canary' });
      const argv = sign().map((word) => (word === ca.path ? locked.path : word));
      await expect(run(argv, { publicKeyPath: key.publicPath })).rejects.toMatchObject({
        code: 'cert_command_failed',
        message: expect.stringMatching(/^cert_command failed with exit code 255: .*passphrase/i),
      });
      expect(readFileSync(key.publicPath, 'utf8')).toContain(key.publicKey);
    });
  });
});
