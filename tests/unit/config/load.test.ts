import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/config/load.ts';
import { ConfigError, formatProblem } from '../../../src/config/problem.ts';
import { actorPolicy } from '../../support/fakes/fake-link.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/config/', import.meta.url));
const ENV = { HOME: '/home/fleet', CREDENTIALS_DIRECTORY: '/run/credentials/fleet-mesh' };

async function yamlFiles(folder: string): Promise<string[]> {
  const files = (await readdir(join(FIXTURES, folder))).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(2);
  return files;
}

/** The problem lines without the name of the file. */
function problemLines(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).toBe(error.problems.map(formatProblem).join('\n'));
    return error.problems.map((problem) => formatProblem(problem).slice(problem.file.length + 1));
  }
  return [];
}

it('passes cert_command the path of a systemd credential', () => {
  const text = (command: string) => `version: 1
node: here
hosts: { here: { address: 127.0.0.1 } }
actors: { atm: { key: "credential:key_id", cert_command: ${command} } }
`;
  const argv = (command: string) =>
    parseConfig(Buffer.from(text(command)), '/etc/tunnels.yaml', ENV).actors.get('atm')?.certCommand?.argv;
  const handed = ['ssh-keygen', '-s', '/run/credentials/fleet-mesh/key_ca', '{pubkey}'];
  expect(argv('"ssh-keygen -s credential:key_ca {pubkey}"')).toEqual(handed);
  expect(argv('[ssh-keygen, -s, "credential:key_ca", "{pubkey}"]')).toEqual(handed);
});

describe('fixtures', async () => {
  it.each(await yamlFiles('valid'))('accepts valid/%s', async (name) => {
    await expect(loadConfig(join(FIXTURES, 'valid', name), ENV)).resolves.toMatchObject({ node: 'here' });
  });

  it.each(await yamlFiles('invalid'))('explains invalid/%s', async (name) => {
    const path = join(FIXTURES, 'invalid', name);
    const bytes = await readFile(path);
    const expected = await readFile(path.replace(/\.yaml$/, '.expected'), 'utf8');
    expect(problemLines(() => parseConfig(bytes, path, { HOME: '/home/fleet' }))).toEqual(
      expected.trimEnd().split('\n'),
    );
  });
});

describe(loadConfig, () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fleet-mesh-load-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('applies every default', async () => {
    const path = join(dir, 'tunnels.yaml');
    writeFileSync(
      path,
      `version: 1
node: here
hosts: { here: { address: 127.0.0.1, user: fleet } }
actors: { a: { key: keys/a } }
tunnels: { t: { host: here, actor: a, listen: 127.0.0.1:1, target: 10.0.0.1:2, probe: { tcp: {} } } }
`,
    );
    expect(await loadConfig(path, ENV)).toEqual({
      path,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      node: 'here',
      endpoint: { listen: { kind: 'tcp', host: '127.0.0.1', port: 9780 }, allowRemote: false },
      controlSocket: '/home/fleet/.local/state/fleet-mesh/control.sock',
      stateDir: '/home/fleet/.local/state/fleet-mesh',
      notify: [],
      stopGraceMs: 10_000,
      logLevel: 'info',
      logFormat: 'auto',
      hosts: new Map([
        [
          'here',
          {
            name: 'here',
            address: '127.0.0.1',
            port: 22,
            user: 'fleet',
            role: undefined,
            knownHosts: '/home/fleet/.ssh/known_hosts',
            sessions: 2,
            keepalive: { everyMs: 5_000, lostAfter: 3 },
            connectTimeoutMs: 10_000,
          },
        ],
      ]),
      actors: new Map([
        [
          'a',
          { name: 'a', key: { kind: 'file', path: join(dir, 'keys/a'), passphraseFile: undefined }, ...actorPolicy },
        ],
      ]),
      listsTunnels: true,
      tunnels: new Map([
        [
          't',
          {
            name: 't',
            host: 'here',
            actor: 'a',
            direction: 'local',
            listen: { kind: 'tcp', host: '127.0.0.1', port: 1 },
            target: { kind: 'tcp', host: '10.0.0.1', port: 2 },
            production: false,
            note: undefined,
            whileDown: { kind: 'hold', holdMs: 10_000, limit: 256, abortOnClose: false },
            maxConnections: 1_024,
            probe: { check: { kind: 'tcp' }, everyMs: 10_000, timeoutMs: 3_000, fall: 3, rise: 2 },
          },
        ],
      ]),
    });
  });

  it('reads every setting', async () => {
    const config = await loadConfig(join(FIXTURES, 'valid/full.yaml'), ENV);
    expect(config.endpoint).toEqual({ listen: { kind: 'tcp', host: '::1', port: 9790 }, allowRemote: true });
    expect(config.stateDir).toBe('/home/fleet/state');
    expect(config.stopGraceMs).toBe(0);
    expect(config.logLevel).toBe('debug');
    expect(config.hosts.get('there')).toEqual({
      name: 'there',
      address: '2001:db8::1',
      port: 2222,
      user: 'fleet',
      role: 'draining',
      knownHosts: join(FIXTURES, 'valid/known_hosts'),
      sessions: 1,
      keepalive: { everyMs: 500, lostAfter: 3 },
      connectTimeoutMs: 1_000,
      endpoint: { kind: 'tcp', host: '::1', port: 9781 },
    });
    expect([...config.actors.values()]).toEqual([
      {
        name: 'atm-file',
        key: { kind: 'file', path: '/keys/atm', passphraseFile: '/run/credentials/fleet-mesh/passphrase' },
        caFingerprints: [`SHA256:${'A'.repeat(43)}`],
        principals: ['atm-file'],
        renewAfter: 0.25,
        drainTimeoutMs: 300_000,
        onExpiry: 'cut',
        fallback: {
          key: { kind: 'file', path: join(FIXTURES, 'valid/static'), passphraseFile: undefined },
          exception: 'static-key',
        },
      },
      {
        name: 'atm-credential',
        key: { kind: 'file', path: '/run/credentials/fleet-mesh/atm.key', passphraseFile: undefined },
        ...actorPolicy,
      },
      {
        name: 'atm-line',
        key: { kind: 'file', path: '/keys/line', passphraseFile: undefined },
        ...actorPolicy,
        certCommand: {
          argv: ['/home/fleet/bin/sign', '--role', 'a b', '--key={pubkey}'],
          timeoutMs: 500,
          workingDirectory: join(FIXTURES, 'valid'),
        },
      },
      {
        name: 'atm-list',
        key: { kind: 'file', path: '/keys/list', passphraseFile: undefined },
        ...actorPolicy,
        certCommand: {
          argv: ['sh', '-c', 'sign "$1" |\n tail -1', '', '{pubkey}'],
          timeoutMs: 30_000,
          workingDirectory: join(FIXTURES, 'valid'),
        },
      },
      { name: 'agt-agent', key: { kind: 'agent' }, ...actorPolicy },
    ]);
    expect(config.tunnels.get('web')).toMatchObject({
      target: { kind: 'tcp', host: '2001:db8::2', port: 8000 },
      production: true,
      note: 'first: quoted',
      whileDown: { kind: 'hold', holdMs: 10_000, limit: 1 },
      maxConnections: 1,
      probe: {
        check: { kind: 'http', path: '/healthz?deep=1', status: 204, json: [1, { a: null }] },
        everyMs: 2_000,
        // At most the pause between two checks.
        timeoutMs: 2_000,
        fall: 1,
        rise: 1,
      },
    });
    expect(config.tunnels.get('plain')?.whileDown).toEqual({ kind: 'refuse' });
    expect(config.tunnels.get('mail')?.probe).toMatchObject({
      check: { kind: 'banner', prefix: '220 ' },
      timeoutMs: 1_000,
    });
  });

  it('resolves each kind of probe, of a tunnel and of a successor', async () => {
    const { tunnels } = await loadConfig(join(FIXTURES, 'valid/probes.yaml'), ENV);
    const request = { path: '/', status: 200, json: undefined };
    expect([...tunnels.values()].map(({ probe }) => probe?.check)).toEqual([
      { kind: 'http', ...request, host: '[2001:db8::1]:8080' },
      {
        kind: 'https',
        ...request,
        path: '/health',
        host: 'hub.example',
        ca: join(FIXTURES, 'valid/hub.pem'),
        serverName: 'inner.example',
      },
      { kind: 'tcp', send: 'PING\r\n', expect: '+PONG' },
    ]);
    expect(tunnels.get('tls')?.drain?.successor?.probe.check).toEqual({
      kind: 'https',
      ...request,
      ca: '/home/fleet/ca.pem',
      serverName: undefined,
    });
  });

  it.each([
    ['a missing file', 'missing.yaml', 'does not exist; expected a YAML file'],
    ['a directory', 'directory', 'is a directory; expected a YAML file'],
    ['a device', '/dev/null', 'is not a regular file; expected a YAML file'],
    ['a huge file', 'huge.yaml', 'is larger than 1 MiB; expected a YAML file of a few kilobytes'],
    ['an empty file', 'empty.yaml', 'is empty; expected version, node, hosts, actors and tunnels'],
  ])('explains %s', async (_, name, message) => {
    mkdirSync(join(dir, 'directory'));
    writeFileSync(join(dir, 'huge.yaml'), `#${' '.repeat(1024 * 1024)}`);
    writeFileSync(join(dir, 'empty.yaml'), '');
    const file = name.startsWith('/') ? name : join(dir, name);
    await expect(loadConfig(file, ENV)).rejects.toMatchObject({
      problems: [{ file, line: 1, column: 1, path: '', message }],
    });
  });
});

describe('an unreadable file', () => {
  it('rejects a FIFO at once, without waiting for a writer', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fleet-mesh-fifo-'));
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    await expect(loadConfig(join(dir, 'fifo'), ENV)).rejects.toThrow('is not a regular file');
    rmSync(dir, { recursive: true });
  });

  it('explains missing permissions', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fleet-mesh-mode-'));
    writeFileSync(join(dir, 'secret.yaml'), 'version: 1\n', { mode: 0 });
    await asNobody(() =>
      expect(loadConfig(join(dir, 'secret.yaml'), ENV)).rejects.toThrow('is not readable by this user'),
    );
    rmSync(dir, { recursive: true });
  });
});

/** Root can read everything, so the task runs as another user. */
async function asNobody(task: () => Promise<void>): Promise<void> {
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  try {
    await task();
  } finally {
    if (root) process.seteuid?.(0);
  }
}

describe(parseConfig, () => {
  const parse = (text: string) => problemLines(() => parseConfig(Buffer.from(text), 'f.yaml', ENV));

  it('reads a file with a byte order mark', () => {
    expect(parse('\uFEFFversion: 1\nnode: a\nhosts: { a: { address: b } }\n')).toEqual([]);
  });

  it('reads and counts CRLF lines', () => {
    expect(parse('version: 1\r\nnode: b\r\nhosts: { a: { address: b } }\r\n')).toEqual([
      '2:7: node: there is no host "b"; expected a',
    ]);
  });

  it('reads YAML 1.2 even with a %YAML 1.1 directive', () => {
    expect(parse('%YAML 1.1\n---\nversion: 1\nnode: no\nhosts: { no: { address: b } }\n')).toEqual([]);
  });

  it('accepts names that JavaScript objects already have', () => {
    expect(
      parse(`version: 1
node: constructor
hosts: { constructor: { address: a, user: b } }
actors: { tostring: { key: agent } }
tunnels: { constructor: { host: constructor, actor: tostring, listen: 127.0.0.1:1, target: a:1 }, valueof: {} }
`),
    ).toEqual([
      '5:99: tunnels.valueof.host: missing; expected the name of a host',
      '5:99: tunnels.valueof.actor: missing; expected the name of an actor',
      expect.stringContaining('5:99: tunnels.valueof.listen: missing; expected host:port'),
      '5:99: tunnels.valueof.target: missing; expected host:port or unix:/path for local',
    ]);
  });

  it('ignores inherited properties as names', () => {
    expect(parse('version: 1\nnode: constructor\nhosts: { a: { address: a } }\n')).toEqual([
      '2:7: node: there is no host "constructor"; expected a',
    ]);
  });

  it('limits the list of problems', () => {
    const unknown = Array.from({ length: 1_000 }, (_, index) => `key${index}: 1`).join('\n');
    expect(parse(`version: 1\n${unknown}`)).toHaveLength(201);
  });

  it.each([`a: ${'['.repeat(20_000)}`, `a: ${'['.repeat(60)}${']'.repeat(60)}`, '? '.repeat(2_000)])(
    'survives deep nesting (%#)',
    (text) => {
      expect(parse(text).length).toBeGreaterThan(0);
    },
  );
});
