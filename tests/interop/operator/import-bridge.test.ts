import { describe, expect, it } from 'vitest';
import { importBridge } from '../../../src/operator/commands/import.ts';
import { bridge, run } from '../../support/machine/import.ts';

describe('import of ops-bridge', () => {
  it('takes both directions, hosts, actors and the certificate command', async () => {
    const { code, config, tunnels, yaml } = await bridge(`
actors:
  atm-fleet-mesh: { key: ~/.ssh/id_ops, cert_command: warden sign atm-fleet-mesh --pubkey ~/.ssh/id_ops.pub }
hosts:
  coulombcore: { address: 192.0.2.1, user: tegwick, port: 2222 }
tunnels:
  hub: { host: coulombcore, actor: atm-fleet-mesh, direction: local, local_port: 8000, remote_host: 10.43.170.94, remote_port: 8001 }
  back: { host: coulombcore, actor: atm-fleet-mesh, direction: reverse, remote_port: 18000, local_port: 8000 }
`);
    expect(code).toBe(0);
    expect(config.hosts.get('coulombcore')).toMatchObject({ address: '192.0.2.1', user: 'tegwick', port: 2222 });
    expect(yaml).toContain('cert_command: "warden sign atm-fleet-mesh --pubkey {pubkey}"');
    expect(tunnels).toMatchObject([
      { name: 'hub', direction: 'local', listen: tcp('127.0.0.1', 8000), target: tcp('10.43.170.94', 8001) },
      { name: 'back', direction: 'remote', listen: tcp('127.0.0.1', 18000), target: tcp('127.0.0.1', 8000) },
    ]);
  });

  it('prefers settings of the tunnel under any name, then those of its host, then the defaults', async () => {
    const { code, config } = await bridge(`
defaults: { user: usual, key: /k, proxy_jump: gate }
hosts: { h: { user: own }, gate: { address: 192.0.2.7, port: 2222, user: jumper } }
tunnels:
  a: { host: h, ports: "1:a:2" }
  b: { host: { address: 192.0.2.8 }, ssh_user: mine, ports: "2:a:2" }
`);
    expect(code).toBe(0);
    expect(config.hosts.get('h')).toMatchObject({ user: 'own', jump: { host: 'gate' } });
    expect(config.hosts.get('192.0.2.8')?.user).toBe('mine');
    expect(config.hosts.get('gate')).toMatchObject({ address: '192.0.2.7', port: 2222, user: 'jumper' });
  });

  it('takes a list with ports in the words of ssh', async () => {
    const { code, tunnels } = await bridge('tunnels: [{ name: one, host: u@192.0.2.1, key: /k, ports: "1:a:2" }]\n');
    expect(code).toBe(0);
    expect(tunnels).toMatchObject([{ name: 'one', listen: tcp('127.0.0.1', 1), target: { host: 'a', port: 2 } }]);
  });

  it('takes ports as a list and as a mapping, hosts of text, a port behind the host, and a file that is a list', async () => {
    const { code, config, tunnels, failures } = await bridge(`
defaults: { user: u, key: /k }
hosts: { db: 192.0.2.9 }
tunnels:
  many: { host: db, ports: ["1:a:2", 3:b:4] }
  pair: { host: "me@gate:2222", ports: { local: 5, remote: 6 } }
  back: { host: "[2001:db8::1]:2200", direction: reverse, ports: { local: 7, remote: 8 } }
`);
    expect([code, failures]).toEqual([0, []]);
    expect(tunnels).toMatchObject([
      { name: 'many-1', listen: tcp('127.0.0.1', 1), target: tcp('a', 2) },
      { name: 'many-3', listen: tcp('127.0.0.1', 3), target: tcp('b', 4) },
      { name: 'pair', listen: tcp('127.0.0.1', 5), target: tcp('127.0.0.1', 6) },
      { name: 'back', direction: 'remote', listen: tcp('127.0.0.1', 8), target: tcp('127.0.0.1', 7) },
    ]);
    expect(config.hosts.get('db')?.address).toBe('192.0.2.9');
    expect(config.hosts.get('gate')).toMatchObject({ user: 'me', port: 2222 });
    expect([...config.hosts.values()].find(({ port }) => port === 2200)?.address).toBe('2001:db8::1');
    const list = await bridge('- { name: one, host: u@h, key: /k, ports: "1:a:2" }\n');
    expect([list.code, list.tunnels.map(({ name }) => name)]).toEqual([0, ['one']]);
  });

  it.each([
    ['a port of ports in words', 'tunnels: { a: { host: h, ports: { local: x, remote: 4 } } }', 'is not translated'],
    ['ports of other names', 'tunnels: { a: { host: h, ports: { here: 3, there: 4 } } }', 'The key ports is not'],
    ['a list of ports with a gap', 'tunnels: { a: { host: h, ports: ["3:c:4", null] } }', 'The key ports is not'],
    [
      'an unknown key',
      'tunnels: { a: { host: h, key: /k, ports: "1:a:2", mystery: 1 } }',
      'The key mystery is not translated',
    ],
    [
      'an unknown direction',
      'tunnels: { a: { host: h, direction: up, local_port: 1 } }',
      'its direction up is unknown',
    ],
    ['a tunnel of text', 'tunnels: { a: "1:b:2", b: { host: h, ports: "3:c:4" } }', 'a in tunnels is not translated'],
    ['a list with gaps', 'tunnels: [null, { host: h, ports: "3:c:4" }]', 'tunnel-1 in tunnels is not translated'],
    ['a host of a list', 'hosts: { h: [1] }\ntunnels: { a: { host: h, ports: "3:c:4" } }', 'h in hosts is not'],
    ['hosts of text', 'hosts: x\ntunnels: { a: { host: h, ports: "3:c:4" } }', 'The key hosts is no list'],
    [
      'a list of jump hosts',
      'tunnels: { a: { host: h, jump: [b], ports: "3:c:4" } }',
      'The key jump is not translated',
    ],
    ['two hosts', 'tunnels: { a: { host: h, ssh_host: i, ports: "3:c:4" } }', 'ssh_host is not translated: host has'],
    [
      'ports twice',
      'tunnels: { a: { host: h, local_port: 9, ports: "3:c:4" } }',
      'The key local_port is not translated',
    ],
    ['a target of SOCKS', 'tunnels: { a: { host: h, type: socks, local_port: 9, to: "x:1" } }', 'The key to is not'],
    ['no host', 'tunnels: { a: { local_port: 1 } }', 'it names no host'],
    ['no target', 'tunnels: { a: { host: h, local_port: 1 } }', 'it names no target'],
    ['no tunnels', 'tunnels: {}', 'The file has no tunnels'],
    ['an empty list', '[]', 'The file has no tunnels'],
    ['a text', 'hub', 'The file is no mapping with tunnels'],
    ['broken YAML', 'tunnels: [', 'line 1'],
  ])('fails for %s', async (_, text, said) => {
    const { code, failures } = await bridge(`${text}\n`);
    expect(code).toBe(1);
    expect(failures.join()).toContain(said);
  });

  it('fails for a file that cannot be read', async () => {
    const { code, failures } = await run((io) => importBridge('/no/such.yaml', { json: true }, io));
    expect(code).toBe(1);
    expect(failures.join()).toContain('/no/such.yaml cannot be read (ENOENT)');
  });
});

function tcp(host: string, port: number) {
  return { kind: 'tcp', host, port };
}
