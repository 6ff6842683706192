import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../../src/config/load.ts';
import { readYaml } from '../../../../src/config/yaml-document.ts';
import { parseDestination } from '../../../../src/machine/add/destination.ts';
import {
  type AddContext,
  type AddRequest,
  BadRequest,
  draftTunnel,
  NameTaken,
} from '../../../../src/machine/add/draft.ts';

const YAML = `version: 1
node: here
hosts:
  here: { address: 127.0.0.1 }
  bastion: { address: bastion.example, user: fleet, known_hosts: /keys/known_hosts }
  inner: { address: inner.example, port: 2222, user: fleet, jump: bastion, known_hosts: /keys/known_hosts }
actors:
  atm-a: { key: /keys/a }
  atm-b: { key: /keys/b }
tunnels:
  one: { host: bastion, actor: atm-b, listen: 127.0.0.1:1001, target: 127.0.0.1:1 }
`;

const EMPTY = 'version: 1\nnode: here\nhosts: { here: { address: 127.0.0.1 } }\n';

const CONTEXT: AddContext = { user: 'me', home: '/home/me', usualKey: '~/.ssh/id_ed25519', knownHosts: undefined };

function draft(changes: Partial<AddRequest>, yaml = YAML, context: Partial<AddContext> = {}) {
  const request: AddRequest = {
    name: 'db',
    direction: 'local',
    forward: '8000:db:5432',
    destination: 'fleet@bastion.example',
    jump: undefined,
    key: undefined,
    actor: undefined,
    production: false,
    allowRemote: false,
    probe: true,
    note: undefined,
    ...changes,
  };
  const config = parseConfig(Buffer.from(yaml), '/etc/t.yaml', { HOME: '/home/me' });
  const { entries } = draftTunnel(request, config, readYaml(yaml).data, { ...CONTEXT, ...context });
  return entries.map(({ section, name, fields }) => [section, name, fields] as const);
}

describe(draftTunnel, () => {
  it('uses a host of the file by its name or its settings, and the actor that logs in there', () => {
    const fields = { host: 'bastion', actor: 'atm-b', listen: '127.0.0.1:8000', target: 'db:5432', probe: { tcp: {} } };
    expect(draft({})).toEqual([['tunnels', 'db', fields]]);
    expect(draft({ destination: 'bastion' })).toEqual([['tunnels', 'db', fields]]);
    expect(draft({ destination: 'fleet@bastion:22' })).toEqual([['tunnels', 'db', fields]]);
  });

  it('adds a host for other settings, under a free name, with the known_hosts of the others', () => {
    const host = { address: 'bastion', port: 2200, user: 'me', known_hosts: '/keys/known_hosts' };
    expect(draft({ destination: 'bastion:2200', actor: 'atm-a' })[0]).toEqual(['hosts', 'bastion-2', host]);
    expect(draft({ destination: 'root@[2001:db8::1]', actor: 'atm-a' })[0]).toEqual([
      'hosts',
      '2001-db8--1',
      { address: '2001:db8::1', user: 'root', known_hosts: '/keys/known_hosts' },
    ]);
  });

  it('adds jump hosts from the first, and uses those of the file', () => {
    const added = draft({ destination: 'far.example', jump: 'bastion,mid@mid.example', key: 'agent' });
    expect(added.map(([section, name]) => `${section} ${name}`)).toEqual([
      'hosts mid.example',
      'hosts far.example',
      'actors agent',
      'tunnels db',
    ]);
    expect(added[0]?.[2]).toMatchObject({ jump: 'bastion', user: 'mid' });
    expect(added[1]?.[2]).toMatchObject({ jump: 'mid.example' });
    expect(draft({ destination: 'fleet@inner.example:2222', jump: 'bastion', actor: 'atm-a' })).toHaveLength(1);
  });

  it('chooses the actor by key, by name, by the host, else the only one, else the usual key', () => {
    const actorOf = (entries: ReturnType<typeof draft>) => {
      const { actor } = entries.at(-1)?.[2] ?? {};
      return actor;
    };
    expect(actorOf(draft({ key: '/keys/a' }))).toBe('atm-a');
    expect(actorOf(draft({ actor: 'atm-a' }))).toBe('atm-a');
    expect(actorOf(draft({ key: '~/.ssh/new' }))).toBe('new');
    expect(draft({}, EMPTY)[1]).toEqual(['actors', 'id_ed25519', { key: '~/.ssh/id_ed25519' }]);
    expect(() => draft({}, EMPTY, { usualKey: undefined })).toThrow(BadRequest);
    expect(() => draft({ actor: 'atm-c' })).toThrow('there is no actor "atm-c"; actors: atm-a, atm-b');
  });

  it('puts the host keys of the system unit beside its file', () => {
    expect(draft({}, EMPTY, { knownHosts: 'known_hosts' })[0]?.[2]).toMatchObject({ known_hosts: 'known_hosts' });
    expect(draft({}, EMPTY)[0]?.[2]).not.toHaveProperty('known_hosts');
  });

  it('knows a tunnel that is in the file already, with the same settings or with others', () => {
    const same = { name: 'one', forward: '1001:127.0.0.1:1', destination: 'bastion', probe: false };
    expect(draft(same)).toEqual([]);
    expect(() => draft({ ...same, probe: true })).toThrow(NameTaken);
  });

  it('gives no probe to other directions and to Unix sockets', () => {
    expect(draft({ direction: 'remote' }).at(-1)?.[2]).not.toHaveProperty('probe');
    expect(draft({ forward: '8000:/run/db.sock' }).at(-1)?.[2]).not.toHaveProperty('probe');
    expect(draft({ direction: 'dynamic', forward: '1080' }).at(-1)?.[2]).toMatchObject({ allow: expect.any(Array) });
  });
});

describe(parseDestination, () => {
  it.each([
    ['host', { user: undefined, host: 'host', port: undefined }],
    ['me@host:2222', { user: 'me', host: 'host', port: 2222 }],
    ['ssh://me@host:2222/', { user: 'me', host: 'host', port: 2222 }],
    ['[::1]:22', { user: undefined, host: '::1', port: 22 }],
  ])('reads %s', (text, expected) => {
    expect(parseDestination(text)).toEqual(expected);
  });

  it.each(['', '@host', 'me@', 'host:0', 'host:70000', 'host:ssh', '::1', '-oProxyCommand=x', 'me@-x', 'a b'])(
    'refuses %j',
    (text) => {
      expect(parseDestination(text)).toBeUndefined();
    },
  );
});
