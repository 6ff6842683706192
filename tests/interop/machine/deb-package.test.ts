import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { has } from '../../support/machine/capabilities.ts';
import { buildDeb, CHECKOUT, EPOCH } from '../../support/machine/deb-package.ts';
import { requireProgram } from '../../support/machine/find-program.ts';
import { type TempDir, tempDir } from '../../support/machine/temp-dir.ts';
import { patient } from '../../support/patience.ts';

const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/fleet-mesh',
  zsh: 'usr/share/zsh/vendor-completions',
  fish: 'usr/share/fish/vendor_completions.d/fleet-mesh.fish',
} as const;

describe.skipIf(!has('dpkg-deb'))('the Debian package', () => {
  let temp: TempDir;
  let deb: string;
  /** Unpacked, with its DEBIAN directory. */
  let root: string;

  beforeAll(() => {
    temp = tempDir('deb');
    deb = buildDeb(temp.path);
    root = join(temp.path, 'root');
    run('dpkg-deb', '-R', deb, root);
  });
  afterAll(() => temp?.[Symbol.dispose]());

  const text = (path: string) => readFileSync(join(root, path), 'utf8');
  const field = (name: string) => run('dpkg-deb', '-f', deb, name).trim();
  const files = () =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1))
      .filter((path) => !path.startsWith('DEBIAN/'));

  it('suits every architecture, and depends on the Node version of package.json', () => {
    const { version, engines } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as {
      version: string;
      engines: { node: string };
    };
    expect([field('Package'), field('Version'), field('Architecture')]).toEqual(['fleet-mesh', `${version}-1`, 'all']);
    expect(field('Depends')).toBe(`nodejs (${engines.node.replace('>=', '>= ')}), systemd`);
  });

  it('contains program, units, manual pages, completions and licence files', () => {
    const wanted = [
      'etc/fleet-mesh/example-tunnels.yaml',
      'usr/lib/fleet-mesh/dist/cli.js',
      'usr/lib/fleet-mesh/package.json',
      ...['system', 'user'].flatMap((kind) => [
        ...readdirSync(`systemd/${kind}`).map((name) => `usr/lib/systemd/${kind}/${name}`),
        `usr/lib/systemd/${kind}/fleet-mesh.service.d/10-notify-fallback.conf`,
      ]),
      'usr/lib/sysusers.d/fleet-mesh.conf',
      'usr/lib/tmpfiles.d/fleet-mesh.conf',
      'usr/share/man/man1/fleet-mesh.1.gz',
      'usr/share/man/man5/fleet-mesh-tunnels.5.gz',
      COMPLETIONS.bash,
      `${COMPLETIONS.zsh}/_fleet-mesh`,
      COMPLETIONS.fish,
      ...['copyright', 'changelog.gz', 'changelog.Debian.gz'].map((name) => `usr/share/doc/fleet-mesh/${name}`),
    ];
    const there = new Set(files());
    expect(wanted.filter((path) => !there.has(path))).toEqual([]);
  });

  it('contains example configurations only, which a running daemon does not read', () => {
    const examples = ['etc/fleet-mesh/example-plan.yaml', 'etc/fleet-mesh/example-tunnels.yaml'];
    expect(text('DEBIAN/conffiles')).toBe(examples.map((path) => `/${path}\n`).join(''));
    expect(
      files()
        .filter((path) => path.startsWith('etc/'))
        .sort(),
    ).toEqual(examples);
    for (const path of examples) {
      const schema = /\$schema=\/(\S+)/.exec(text(path))?.[1] ?? '';
      expect(JSON.parse(text(schema)), path).toHaveProperty('properties');
    }
  });

  it('contains files of root that no other user may write, all with one time', () => {
    const listed = run('dpkg-deb', '-c', deb).trim().split('\n');
    expect(listed.filter((line) => !/^([-d]rw[x-]r-[x-]r-[x-]|lrwxrwxrwx) root\/root /.test(line))).toEqual([]);
    const times = new Set(files().map((path) => statSync(join(root, path)).mtimeMs / 1_000));
    expect([...times]).toEqual([EPOCH]);
  });

  it('runs alone: the package contains every import, no compiled module and no path of this checkout', () => {
    const cli = join(root, 'usr/lib/fleet-mesh/dist/cli.js');
    const example = join(root, 'etc/fleet-mesh/example-tunnels.yaml');
    const { status, stderr } = spawnSync(process.execPath, [cli, 'check', '--config', example], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(files().filter((path) => /\.(node|ts|map|md|c)$/.test(path))).toEqual([]);
    expect(files().filter((path) => readFileSync(join(root, path)).includes(CHECKOUT))).toEqual([]);
  });

  it('contains the licence of every dependency', () => {
    const modules = files()
      .map((path) => /^usr\/lib\/fleet-mesh\/(node_modules\/.*)\/package\.json$/.exec(path)?.[1])
      .filter((path): path is string => path !== undefined && !/\/(cjs|esm|dist|build)$/.test(path));
    const named = [...text('usr/share/doc/fleet-mesh/copyright').matchAll(/^Files: usr\/lib\/fleet-mesh\/(.*)\/\*$/gm)];
    const covered = named.map(([, path]) => path ?? '');
    expect(covered.length).toBeGreaterThan(40);
    expect(modules.filter((path) => !covered.some((each) => path === each || path.startsWith(`${each}/`)))).toEqual([]);
  });

  it('builds the same bytes again', () => {
    const umask = process.umask(0o077);
    try {
      const again = buildDeb(join(temp.path, 'again'));
      expect(readFileSync(again).equals(readFileSync(deb))).toBe(true);
    } finally {
      process.umask(umask);
    }
  });

  it.skipIf(!has('man'))('has manual pages that man shows without a warning', () => {
    for (const page of ['man1/fleet-mesh.1.gz', 'man5/fleet-mesh-tunnels.5.gz']) {
      const file = join(root, 'usr/share/man', page);
      const shown = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', file], { encoding: 'utf8', env: MAN });
      expect([shown.status, shown.stderr]).toEqual([0, '']);
      expect(shown.stdout).toContain('SYNOPSIS');
    }
  });

  it.skipIf(!has('bash'))('completes commands in bash', () => {
    const complete = (...words: readonly string[]) => {
      const script = 'set -u; . "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fleet_mesh; echo "$COMPREPLY"';
      return run('bash', '-c', script, 'bash', join(root, COMPLETIONS.bash), 'fleet-mesh', ...words).trim();
    };
    expect(complete('st')).toBe('status');
    expect(complete('--config', 'run', 'check', '--j')).toBe('--json');
    expect(complete('import', 'ssh-c')).toBe('ssh-config');
    expect(complete('check', '--config', join(root, 'etc/fleet-mesh/example-t'))).toBe(
      join(root, 'etc/fleet-mesh/example-tunnels.yaml'),
    );
  });

  it.skipIf(!has('zsh'))('completes commands in zsh through compinit', () => {
    const script =
      'fpath=($1); autoload -Uz +X _fleet-mesh; fpath+=($2); autoload -Uz compinit; compinit -D -u; print $_comps[fleet-mesh]';
    const own = run('zsh', '-fc', 'print -l $fpath').trim().split('\n');
    const functions = own.find((path) => existsSync(join(path, 'compinit'))) ?? '';
    expect(run('zsh', '-fc', script, 'zsh', join(root, COMPLETIONS.zsh), functions).trim()).toBe('_fleet-mesh');
  });

  it.skipIf(!has('fish'))('completes commands in fish', () => {
    const complete = (line: string) =>
      run('fish', '--no-config', '-c', `source ${join(root, COMPLETIONS.fish)}; complete -C '${line}'`)
        .trim()
        .split('\n')
        .map((each) => each.split('\t')[0]);
    expect(complete('fleet-mesh sta')).toEqual(['status']);
    expect(complete('fleet-mesh import ssh-config --ssh')).toEqual(['--ssh-config']);
    expect(complete('fleet-mesh wait --')).toEqual(expect.arrayContaining(['--for', '--timeout', '--config']));
  });

  it.skipIf(!has('lintian'))(
    'passes lintian',
    () => {
      const { status, stdout } = spawnSync('lintian', ['--allow-root', '--fail-on', 'error,warning', deb], {
        encoding: 'utf8',
        timeout: patient(150_000),
      });
      expect(status, stdout).toBe(0);
      // A time limit of the process ends a hang, one of the test would not.
    },
    3_600_000,
  );
});

const MAN = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' };

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(requireProgram(program), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
