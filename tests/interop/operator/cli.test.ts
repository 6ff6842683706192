import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tempDir } from '../../support/machine/temp-dir.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Runs the built program. */
function cli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/cli.js', ...args], {
      cwd: ROOT,
      env: { ...process.env, FLEET_MESH_CONFIG: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      err += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

it('says in plain words that the process may open too few files', async () => {
  const told: string[] = [];
  // Node 20 opens many modules at once; later ones need few descriptors, and end by themselves with fewer.
  for (const most of [64, 26, 25, 24, 23, 22, 21]) {
    const limited = spawn('bash', ['-c', `ulimit -n ${most}; exec "${process.execPath}" dist/cli.js run`], {
      cwd: ROOT,
    });
    const [err, [code]] = await Promise.all([text(limited.stderr), once(limited, 'close')]);
    told.push(`${code}: ${err}`);
    if (code === 1) break;
  }
  expect(told.at(-1)).toMatch(/^1: fleet-mesh: this process may open too few files\n.*LimitNOFILE=/);
});

const SEVEN = 'tests/fixtures/config/invalid/seven-mistakes.yaml';

describe('fleet-mesh check', () => {
  // In a process of its own: V8 aborts only while its regular expressions are not compiled yet.
  it.each(['[', '- ', '? ', '{a: '])('ends with 78 for a file that nests %j beyond the stack', async (open) => {
    using directory = tempDir('nested');
    const file = join(directory.path, 'tunnels.yaml');
    writeFileSync(file, open.repeat(5_000));
    const { code, err } = await cli(['check', '--config', file]);
    expect(err).toContain('nested more than 40 levels deep');
    expect(code).toBe(78);
  });

  it('locates seven errors of seven kinds, and ends with 78', async () => {
    const expected = readFileSync(`${ROOT}${SEVEN.replace('.yaml', '.expected')}`, 'utf8');
    const lines = expected.trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    expect(await cli(['check', '--config', SEVEN])).toEqual({
      code: 78,
      out: '',
      err: `${lines.map((line) => `${SEVEN}:${line}\n`).join('')}7 problems\n`,
    });
  });

  it('prints the problems as JSON', async () => {
    const { code, out, err } = await cli(['check', '--json', '--config', SEVEN]);
    expect({ code, err }).toEqual({ code: 78, err: '' });
    const result = JSON.parse(out);
    expect(result).toMatchObject({ ok: false, problems: { length: 7 } });
    expect(result.problems[0]).toEqual({
      file: SEVEN,
      line: 2,
      column: 7,
      path: 'node',
      message: 'there is no host "railianc01"; expected railiance01 or coulombcore; did you mean "railiance01"?',
    });
  });

  const KNOWN = '92.205.130.254 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n';
  const SUMMARY =
    'config/railiance01-tunnels.yaml: ok, node railiance01, 2 tunnels (2 production) to coulombcore as atm-fleet-mesh; plan: 1 of 9 waves complete\n';

  it('summarises a valid configuration from $FLEET_MESH_CONFIG', async () => {
    using home = tempDir('home');
    mkdirSync(join(home.path, '.ssh'));
    writeFileSync(join(home.path, '.ssh/known_hosts'), KNOWN);
    writeFileSync(join(home.path, '.ssh/id_ops'), '', { mode: 0o600 });
    const env = { HOME: home.path, FLEET_MESH_CONFIG: 'config/railiance01-tunnels.yaml' };
    expect(await cli(['check'], env)).toEqual({ code: 0, out: SUMMARY, err: '' });
  });

  it('warns about a key that others can read, and a known_hosts without the host', async () => {
    using home = tempDir('home');
    mkdirSync(join(home.path, '.ssh'));
    writeFileSync(join(home.path, '.ssh/known_hosts'), KNOWN.replace('92.205.130.254', 'another.example'));
    writeFileSync(join(home.path, '.ssh/id_ops'), '');
    chmodSync(join(home.path, '.ssh/id_ops'), 0o644);
    const env = { HOME: home.path, FLEET_MESH_CONFIG: 'config/railiance01-tunnels.yaml' };
    const { code, out, err } = await cli(['check'], env);
    expect({ code, out }).toEqual({ code: 0, out: SUMMARY });
    expect(err).toMatch(/warning: actors\.atm-fleet-mesh\.key: .*mode 0644\)\. Run `chmod 600/);
    expect(err).toMatch(/warning: hosts\.coulombcore\.known_hosts: no host key is known for .*ssh-keyscan/);
  });

  it('warns about a missing key and a missing known_hosts, which are no errors of the file', async () => {
    using home = tempDir('home');
    const [env, config] = [{ HOME: home.path }, 'config/railiance01-tunnels.yaml'];
    const warnings = [
      { path: 'hosts.coulombcore.known_hosts', message: `${home.path}/.ssh/known_hosts does not exist` },
      { path: 'actors.atm-fleet-mesh.key', message: `${home.path}/.ssh/id_ops does not exist` },
    ];
    expect(await cli(['check', '--config', config], env)).toEqual({
      code: 0,
      out: SUMMARY,
      err: warnings.map(({ path, message }) => `${config}: warning: ${path}: ${message}\n`).join(''),
    });
    const json = await cli(['check', '--json', '--config', config], env);
    expect({ code: json.code, result: JSON.parse(json.out) }).toEqual({
      code: 0,
      result: { ok: true, problems: [], warnings },
    });
  });

  it('accepts credential:NAME without a look at the file outside the unit', async () => {
    using home = tempDir('home');
    mkdirSync(join(home.path, '.ssh'));
    writeFileSync(join(home.path, '.ssh/known_hosts'), KNOWN);
    const config = join(home.path, 'tunnels.yaml');
    const yaml = readFileSync(`${ROOT}config/railiance01-tunnels.yaml`, 'utf8');
    copyFileSync(`${ROOT}config/drain-plan.yaml`, join(home.path, 'drain-plan.yaml'));
    writeFileSync(config, yaml.replace('key: ~/.ssh/id_ops', 'key: credential:ops').replace(':9780', ':1'));
    const outside = { HOME: home.path, CREDENTIALS_DIRECTORY: undefined };
    expect(await cli(['check', '--config', config], outside)).toMatchObject({ code: 0, err: '' });
    const status = await cli(['status', '--config', config], outside);
    expect(status).toMatchObject({ code: 2, err: expect.stringMatching(/^fleet-mesh: .*127\.0\.0\.1:1/) });
    // The daemon itself cannot do without.
    expect(await cli(['run', '--config', config], outside)).toMatchObject({
      code: 78,
      err: expect.stringContaining('$CREDENTIALS_DIRECTORY is not set'),
    });
    const inside = { HOME: home.path, CREDENTIALS_DIRECTORY: home.path };
    expect(await cli(['check', '--config', config], inside)).toMatchObject({
      code: 0,
      err: expect.stringContaining(`${home.path}/ops does not exist`),
    });
  });
});

describe('fleet-mesh', () => {
  it.each([
    ['an unknown command', ['chek'], /unknown command 'chek'/],
    ['an unknown option', ['check', '--jason'], /unknown option '--jason'/],
    ['a missing argument', ['schema'], /missing required argument/],
    ['a missing option', ['plan', 'done', '2.4'], /required option '--evidence <text>' not specified/],
    ['an argument too many', ['check', 'extra'], /too many arguments/],
    ['an unknown schema', ['schema', 'confg'], /unknown schema "confg"/],
    ['no command', [], /Usage: fleet-mesh/],
  ])('ends with 64 and a hint for %s', async (_, args, message) => {
    const { code, out, err } = await cli(args);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toMatch(message);
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
    expect(await cli(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  it('prints the JSON Schema of the configuration', async () => {
    const { code, out } = await cli(['schema', 'config']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(JSON.parse(readFileSync(`${ROOT}config/tunnels.schema.json`, 'utf8')));
  });
});
