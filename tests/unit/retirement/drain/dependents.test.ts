import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../../src/base/net/address.ts';
import type { Config, HostConfig, TunnelConfig } from '../../../../src/config/config.ts';
import { dependentsOf } from '../../../../src/retirement/drain/dependents.ts';

const host = (name: string, address: string, port = 22, jump?: string): [string, HostConfig] => [
  name,
  { name, address, port, jump: jump === undefined ? undefined : { host: jump, actor: undefined } } as HostConfig,
];
const tunnel = (name: string, over: string, listen: string, direction = 'local'): TunnelConfig =>
  ({ name, host: over, actor: 'a', direction, listen: parseAddress(listen) }) as TunnelConfig;
const dependents = (hosts: [string, HostConfig][], ...tunnels: readonly [TunnelConfig, ...TunnelConfig[]]) => {
  const config: Pick<Config, 'hosts' | 'tunnels'> = {
    hosts: new Map(hosts),
    tunnels: new Map(tunnels.map((each) => [each.name, each])),
  };
  return dependentsOf(tunnels[0], config);
};
const OUTER = host('outer', '192.0.2.1');

describe(dependentsOf, () => {
  it.each<[string, [string, HostConfig][], string, string[]]>([
    ['a tunnel whose host is the port', [host('b', '127.0.0.1', 2222)], '127.0.0.1:2222', ['inner']],
    ['a tunnel whose host is another name of loopback', [host('b', 'localhost', 2222)], '[::1]:2222', ['inner']],
    [
      'a tunnel whose host is behind such a host',
      [host('b', '10.0.0.2', 22, 'c'), host('c', '127.0.0.1', 2222)],
      '0.0.0.0:2222',
      ['inner'],
    ],
    ['no tunnel at another port', [host('b', '127.0.0.1', 2223)], '127.0.0.1:2222', []],
    [
      'no tunnel at the loopback of another machine',
      [host('b', '127.0.0.1', 2222, 'c'), host('c', '192.0.2.3')],
      '127.0.0.1:2222',
      [],
    ],
    ['no tunnel at another address', [host('b', '192.0.2.2', 2222)], '127.0.0.1:2222', []],
    ['no tunnel for a Unix socket', [host('b', '127.0.0.1', 2222)], 'unix:/run/hub', []],
  ])('finds %s', (_, hosts, listen, expected) => {
    expect(dependents([OUTER, ...hosts], tunnel('hub', 'outer', listen), tunnel('inner', 'b', '127.0.0.1:1'))).toEqual(
      expected,
    );
  });

  it('finds a tunnel that jumps over the host of a remote listener', () => {
    const hosts = [OUTER, host('b', '127.0.0.1', 2222, 'outer')];
    expect(
      dependents(hosts, tunnel('hub', 'outer', '127.0.0.1:2222', 'remote'), tunnel('inner', 'b', '127.0.0.1:1')),
    ).toEqual(['inner']);
  });

  it('never finds the tunnel itself', () => {
    expect(dependents([host('b', '127.0.0.1', 2222)], tunnel('hub', 'b', '127.0.0.1:2222'))).toEqual([]);
  });
});
