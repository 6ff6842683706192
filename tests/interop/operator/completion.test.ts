import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../support/daemon/daemon.ts';
import { has } from '../../support/machine/capabilities.ts';
import { findProgram, requireProgram } from '../../support/machine/find-program.ts';
import { spawnOwned } from '../../support/machine/owned-process.ts';
import { tempDir } from '../../support/machine/temp-dir.ts';
import { waitUntil } from '../../support/wait-until.ts';

const run = promisify(execFile);
const CLI = join(import.meta.dirname, '../../../dist/cli.js');

const YAML = `version: 1
node: here
hosts:
  here: { address: 127.0.0.1 }
  bastion: { address: 127.0.0.1, user: me }
actors:
  atm-db: { key: ~/.ssh/id }
plan: plan.yaml
tunnels:
  db: { host: bastion, actor: atm-db, listen: 127.0.0.1:1, target: 127.0.0.1:2 }
  cache: { host: bastion, actor: atm-db, listen: 127.0.0.1:3, target: 127.0.0.1:4 }
`;

const PLAN = `version: 1
gates: [ { id: go, title: Go, owner: me, blocks: ["1.1"] } ]
waves: [ { id: 1, title: One, steps: [ { id: "1.1", action: a, done_when: b } ] } ]
`;

/** A directory with the program on its PATH, as installed, and a file with two tunnels. */
function place() {
  const temp = tempDir('completion');
  const bin = join(temp.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'fleet-mesh'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`, { mode: 0o755 });
  const file = join(temp.path, 'tunnels.yaml');
  writeFileSync(file, YAML);
  writeFileSync(join(temp.path, 'plan.yaml'), PLAN);
  const { PATH } = process.env;
  const env = { ...process.env, PATH: `${bin}:${PATH}`, FLEET_MESH_CONFIG: file, HOME: temp.path };
  return { file, env, path: temp.path, [Symbol.dispose]: () => temp[Symbol.dispose]() };
}

const scripts = { bash: '', zsh: '', fish: '' };
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { code, stdout, stderr } = await runCli(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    scripts[shell] = stdout;
  }
});

/** What bash offers for the last word. */
async function inBash(words: readonly string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  const script = `${scripts.bash}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fleet_mesh; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['--norc', '-c', script, 'bash', 'fleet-mesh', ...words], { env });
  return stdout.split('\n').filter(Boolean);
}

describe('fleet-mesh completion', { concurrent: true }, () => {
  it.each<[string[], string[]]>([
    [
      ['why', ''],
      ['db', 'cache'],
    ],
    [['status', 'c'], ['cache']],
    [
      ['doctor', ''],
      ['db', 'cache', 'here', 'bastion'],
    ],
    [['rotate', ''], ['atm-db']],
    [
      ['acceptance', '--offline', ''],
      ['here', 'bastion'],
    ],
    [['events', '--tunnel', 'd'], ['db']],
    [['plan', 'approve', ''], ['go']],
    [['plan', 'done', ''], ['1.1']],
    [
      ['wait', '--for', ''],
      ['up', 'retirable'],
    ],
    [['schema', 'co'], ['config']],
    [['completion', 'z'], ['zsh']],
    [['retire', 'db', '--override', 'wave'], ['wave_open']],
    [['add', 'x', '--jump', 'b'], ['bastion']],
    [['down', '-c', 'nowhere.yaml', ''], []],
  ])('offers in bash, after `fleet-mesh %j`', async (words, expected) => {
    using there = place();
    expect(await inBash(words, there.env)).toEqual(expected);
  });

  it.skipIf(!findProgram('fish'))('offers names and closed lists in fish', async () => {
    using there = place();
    const offered = async (line: string) => {
      const script = `${scripts.fish}\ncomplete -C '${line}'`;
      const { stdout } = await run('fish', ['--no-config', '-c', script], { env: there.env });
      return stdout.split('\n').map((each) => each.split('\t')[0]);
    };
    expect(await offered('fleet-mesh why ')).toEqual(expect.arrayContaining(['db', 'cache']));
    expect(await offered('fleet-mesh wait --for ')).toEqual(expect.arrayContaining(['up', 'retirable']));
    expect(await offered('fleet-mesh rotate a')).toContain('atm-db');
    expect(await offered('fleet-mesh events --tunnel ')).toEqual(expect.arrayContaining(['db', 'cache']));
  });

  it.skipIf(!findProgram('zsh'))('offers names and closed lists in zsh', async () => {
    using there = place();
    writeFileSync(join(there.path, '_fleet-mesh'), scripts.zsh);
    // compadd is the last step of every completion: its words are what a person sees.
    const offered = async (words: readonly string[]) => {
      const script = `
fpath=($1 $fpath); autoload -U compinit; compinit -D -u
source $1/_fleet-mesh 2>/dev/null
_arguments() { reply+=("$@") }
words=("\${@[2,-1]}")
compadd() { local -a all=(\${(P)@[-1]}); print -l -- $all }
_fleet-mesh-names tunnels`;
      const { stdout } = await run('zsh', ['-f', '-c', script, 'zsh', there.path, ...words], { env: there.env });
      return stdout.split('\n').filter(Boolean);
    };
    expect(await offered(['fleet-mesh', 'why', ''])).toEqual(['db', 'cache']);
    expect(scripts.zsh).toContain('_fleet-mesh-names tunnels');
    expect(scripts.zsh).toContain(':(up retirable)');
    const { stderr } = await run('zsh', ['-n', join(there.path, '_fleet-mesh')]);
    expect(stderr).toBe('');
  });

  it.skipIf(!findProgram('zsh') || !has('python3'))('completes in a real zsh that has sourced the script', async () => {
    using there = place();
    writeFileSync(join(there.path, 'sourced'), scripts.zsh);
    const pty = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';
    await using zsh = spawnOwned(requireProgram('python3'), ['-I', '-c', pty, 'zsh', '-f', '-i'], {
      env: { ...there.env, TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const type = (keys: string) => zsh.child.stdin?.write(keys);
    type(`autoload -U compinit; compinit -D -u; source ${there.path}/sourced; print is ready | tr a-z A-Z\n`);
    await waitUntil('zsh is ready', () => zsh.stdout().includes('IS READY'), 15_000, zsh.stdout);
    type('fleet-mesh rotate \t');
    await waitUntil('the actor', () => zsh.stdout().includes('fleet-mesh rotate atm-db'), 15_000, zsh.stdout);
    expect(zsh.stdout()).not.toContain('_arguments');
  });

  it('offers the names of a file with mistakes, nothing for a file that is none, and never an error', async () => {
    using there = place();
    const names = async () => {
      const { code, stdout, stderr } = await runCli(['__names', 'tunnels', 'fleet-mesh', 'why', '-c', there.file]);
      return { code, stderr, names: stdout.split('\n').filter(Boolean) };
    };
    writeFileSync(there.file, `${YAML}  broken: { host: nowhere\nnonsense: [\n`);
    expect(await names()).toEqual({ code: 0, stderr: '', names: ['db', 'cache', 'broken'] });
    writeFileSync(there.file, `${YAML}  "bad \\e[31m name; rm": {}\n`);
    expect(await names()).toEqual({ code: 0, stderr: '', names: ['db', 'cache'] });
    writeFileSync(there.file, Buffer.from([0, 255, 254, 9, 10]));
    expect(await names()).toEqual({ code: 0, stderr: '', names: [] });
    expect(await runCli(['__names', 'tunnels', '-c', there.path])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await runCli(['__names', 'nonsense', '-c', there.file])).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  it('ends with 64 for an unknown shell, and names the known ones', async () => {
    const { code, stderr } = await runCli(['completion', 'tcsh']);
    expect(code).toBe(64);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
