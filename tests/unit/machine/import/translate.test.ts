import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../../src/config/load.ts';
import type { Remark, SshEntry, SshOption } from '../../../../src/machine/import/entry.ts';
import { entryOf } from '../../../../src/machine/import/ssh-config.ts';
import { translate } from '../../../../src/machine/import/translate.ts';
import { readUnit } from '../../../../src/machine/import/unit.ts';
import { yamlText } from '../../../../src/machine/import/yaml-text.ts';

const ENV = { HOME: '/home/fleet' };
const load = (text: string) => parseConfig(Buffer.from(text), 'f.yaml', ENV);

const entry = (destination: string, ...options: [keyword: string, value: string][]): SshEntry => ({
  source: `${destination}.service`,
  label: destination,
  note: undefined,
  destination,
  options: options.map(([keyword, value]): SshOption => ({ keyword, value })),
  localUser: 'u',
  home: undefined,
  configFile: undefined,
  remarks: [],
});

describe(translate, () => {
  it('translates the two fleet units, with every other setting as a comment', () => {
    const entries = ['fleet-state-hub-coulombcore', 'fleet-issue-core-coulombcore'].flatMap((name) => {
      const file = new URL(`../../../fixtures/units/${name}.service`, import.meta.url);
      return readUnit(fileURLToPath(file), readFileSync(file, 'utf8'), { hostname: 'railiance01', user: 'x' }).entries;
    });
    const text = yamlText(translate(entries, 'railiance01'), 'fleet-mesh import ssh-unit');
    const { node, hosts, actors, tunnels } = load(text);
    expect(node).toBe('railiance01');
    expect([...hosts.values()].find(({ user }) => user === 'tegwick')).toMatchObject({
      address: '92.205.130.254',
      port: 22,
      keepalive: { everyMs: 15_000, lostAfter: 3 },
    });
    expect(actors.get('id_ops')?.key).toMatchObject({ path: '/home/fleet/.ssh/id_ops' });
    expect([...tunnels.values()].map(({ name, listen, target }) => [name, listen, target])).toEqual([
      ['fleet-state-hub-coulombcore', tcp('127.0.0.1', 18000), tcp('10.43.170.94', 8000)],
      ['fleet-issue-core-coulombcore', tcp('127.0.0.1', 18765), tcp('10.43.103.154', 8765)],
    ]);
    for (const left of ['exitonforwardfailure=yes', 'accept-new', 'ExecStartPre= .sleep', '-M 0', 'RestartSec=5'])
      expect(text).toMatch(new RegExp(`^# .*${left}`, 'm'));
  });

  it.each([
    ['localforward', '80:db:81', { direction: 'local', listen: '127.0.0.1:80', target: 'db:81' }],
    ['localforward', '*:80:db:81', { direction: 'local', listen: '0.0.0.0:80', target: 'db:81' }],
    [
      'localforward',
      'localhost:80:localhost:81',
      { direction: 'local', listen: '127.0.0.1:80', target: '127.0.0.1:81' },
    ],
    ['localforward', '[::1]:80:[fd00::1]:81', { direction: 'local', listen: '[::1]:80', target: '[fd00::1]:81' }],
    ['remoteforward', '80:db:81', { direction: 'remote', listen: '127.0.0.1:80', target: 'db:81' }],
    [
      'dynamicforward',
      '1080',
      { direction: 'dynamic', listen: '127.0.0.1:1080', allow: ['*:*', '0.0.0.0/0:*', '[::/0]:*'] },
    ],
  ])('translates %s %s', (keyword, value, expected) => {
    const draft = translate([entry('h', [keyword, value])], 'n');
    expect([...draft.tunnels.values()]).toEqual([expect.objectContaining(expected)]);
    expect(load(yamlText(draft, 'x')).tunnels.size).toBe(1);
  });

  it('says how files of a system unit get out of the homes, and says nothing of a unit of a user', () => {
    const of = (user: string, system: boolean): SshEntry => ({
      ...entry(user, ['identityfile', '~/.ssh/id'], ['userknownhostsfile', '~/.ssh/known']),
      ...{ localUser: user, home: `/home/${user}`, system },
    });
    const said = (system: boolean) =>
      translate([of('a', system), of('b', system)], 'n')
        .remarks.map(({ text }) => text)
        .filter((text) => text.includes('reads no home'));
    // Two users have files of one name.
    expect(said(true)).toEqual([
      expect.stringContaining('/home/a/.ssh/id /etc/fleet-mesh/keys/a-id`, and write `key: credential:key_a-id`'),
      expect.stringContaining('write `known_hosts: /etc/fleet-mesh/a-known`'),
      expect.stringContaining('/home/b/.ssh/id /etc/fleet-mesh/keys/b-id`, and write `key: credential:key_b-id`'),
      expect.stringContaining('write `known_hosts: /etc/fleet-mesh/b-known`'),
    ]);
    expect(said(false)).toEqual([]);
  });

  it('listens on all addresses with GatewayPorts if the forward names no address', () => {
    const draft = translate([entry('h', ['localforward', '80:db:81'], ['gatewayports', 'yes'])], 'n');
    expect(draft.tunnels.get('h')?.listen).toBe('0.0.0.0:80');
  });

  it('turns a second listener on the same port and a remote SOCKS listener into comments', () => {
    const draft = translate(
      [entry('h', ['localforward', '80:a:1'], ['localforward', '80:b:1'], ['remoteforward', '9001 [socks]:0'])],
      'n',
    );
    expect(draft.tunnels.size).toBe(1);
    expect(textOf(draft.remarks)).toContain(
      'localforward=80:b:1 is not translated: 127.0.0.1:80 conflicts with tunnels.h-80.listen',
    );
    expect(textOf(draft.remarks)).toContain('fleet-mesh has no SOCKS listener on a host');
  });

  it('chains the hops of ProxyJump, with their own settings if known', () => {
    const jumps = new Map([['c', entry('c', ['hostname', '192.0.2.3'])]]);
    const draft = translate([entry('h', ['localforward', '80:a:1'], ['proxyjump', 'a@b:2222,c'])], 'n', jumps);
    expect(draft.hosts.get('h')).toMatchObject({ jump: 'c' });
    expect(draft.hosts.get('c')).toMatchObject({ address: '192.0.2.3', jump: 'b' });
    expect(draft.hosts.get('b')).toMatchObject({ user: 'a', port: 2222 });
    expect(textOf(draft.remarks)).toContain('Jump host b: no key is named');
  });

  it('merges equal hosts and actors of two entries, and renames different ones', () => {
    const draft = translate(
      [
        entry('h', ['localforward', '1:a:1'], ['identityfile', '/k/id']),
        entry('h', ['localforward', '2:a:1'], ['identityfile', '/k/id'], ['port', '23']),
        entry('h', ['localforward', '3:a:1'], ['identityfile', '/other/id']),
      ],
      'h',
    );
    expect([...draft.hosts.keys()]).toEqual(['h', 'h-2', 'h-3']);
    expect(draft.node).toBe('h-3');
    expect([...draft.actors.keys()]).toEqual(['id', 'id-2']);
    expect([...draft.tunnels.keys()]).toEqual(['h', 'h-2', 'h-3']);
  });

  it('writes YAML that the check accepts for any names and values', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a: b', '{', '"', '# x', 'true', '- x', '1:a:2', '\n', '1440', '9780', '1h', '/k', 'h'),
    );
    const keyword = fc.constantFrom(
      ...['hostname', 'user', 'port', 'identityfile', 'localforward', 'compression', 'proxyjump', 'proxycommand'],
      ...['dynamicforward', 'remoteforward', 'userknownhostsfile', 'serveraliveinterval', 'connecttimeout'],
    );
    fc.assert(
      fc.property(value, fc.array(fc.tuple(keyword, value)), (destination, options) => {
        const draft = translate([{ ...entry(destination, ...options), note: destination }], 'n');
        const text = yamlText(draft, 'x');
        expect(() => load(text)).not.toThrow();
      }),
      // Each run reads a whole configuration.
      { numRuns: 30 },
    );
  });
});

describe(entryOf, () => {
  const builtin =
    'host h\nuser me\nhostname h\nport 22\ncompression no\nidentityfile ~/.ssh/id_rsa\ncanonicalizePermittedcnames none\n';

  it('keeps settings of the configuration, host and user', () => {
    const configured = builtin.replace('compression no', 'compression yes').replace('identityfile ~/.ssh/id_rsa\n', '');
    expect(entryOf('h', { configured, builtin }, 'me', undefined).options.map(({ keyword }) => keyword)).toEqual([
      'user',
      'hostname',
      'compression',
    ]);
  });

  it('ignores the DynamicForward that ssh -G prints for a LocalForward on a socket', () => {
    const configured = `${builtin}dynamicforward /s\ndynamicforward 1080\nlocalforward /s /run/t\n`;
    const kept = entryOf('h', { configured, builtin }, 'me', undefined).options.filter(({ keyword }) =>
      keyword.endsWith('forward'),
    );
    expect(kept.map(({ value }) => value)).toEqual(['1080', '/s /run/t']);
  });
});

function textOf(remarks: readonly Remark[]): string {
  return remarks.map(({ text }) => text).join('\n');
}

function tcp(host: string, port: number) {
  return { kind: 'tcp', host, port };
}
