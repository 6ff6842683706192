import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseAddress } from '../../../src/base/net/address.ts';
import type { TunnelConfig } from '../../../src/config/config.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { type Entrance, type Knowledge, STATIC, successorLoop } from '../../../src/config/successor-loop.ts';
import { findLoop } from '../../../src/retirement/cutover/find-loop.ts';

const entrance = (name: string, listen: string, successor?: string): Entrance => {
  const address = parseAddress(listen);
  if (!address) throw new Error(listen);
  return { name, listen: address, successor: successor === undefined ? undefined : parseAddress(successor) };
};

describe(successorLoop, () => {
  it.each([
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['127.0.0.1:1', 'localhost:1'],
    ['127.0.0.1:1', '0.0.0.0:1'],
    ['127.0.0.1:1', '[::ffff:127.0.0.1]:1'],
    ['localhost:1', '[::1]:1'],
    ['0.0.0.0:1', '127.8.9.1:1'],
    ['[::]:1', '127.0.0.1:1'],
    ['[::]:1', 'LOCALHOST:1'],
    ['[0:0:0:0:0:0:0:1]:1', '[::]:1'],
    ['[::1]:1', '[0:0:0:0:0:0:0:1]:1'],
    ['unix:/a', 'unix:/a'],
  ])('finds that %s is its own successor as %s', (listen, target) =>
    expect(successorLoop('a', [entrance('a', listen, target)])).toEqual(['a']),
  );

  it.each([
    ['127.0.0.1:1', '127.0.0.1:2'],
    ['127.0.0.1:1', '127.0.0.2:1'],
    ['0.0.0.0:1', '[::1]:1'],
    ['0.0.0.0:1', '192.0.2.1:1'],
    ['0.0.0.0:1', 'elsewhere:1'],
    ['unix:/a', 'unix:/b'],
  ])('lets %s have the successor %s', (listen, target) =>
    expect(successorLoop('a', [entrance('a', listen, target)])).toBeUndefined(),
  );

  it('finds circles over other tunnels, also one that the tunnel only leads into', () => {
    const a = entrance('a', '127.0.0.1:1', 'localhost:2');
    const b = entrance('b', '127.0.0.1:2', '0.0.0.0:1');
    const c = entrance('c', '127.0.0.1:3', '127.0.0.1:1');
    expect(successorLoop('a', [a, b, c])).toEqual(['a', 'b']);
    expect(successorLoop('c', [a, b, c])).toEqual(['c', 'a', 'b']);
    expect(successorLoop('c', [a, c])).toBeUndefined();
  });

  it('takes the names and addresses of the node as they are resolved', () => {
    const known: Knowledge = {
      addressesOf: (name) => (name === 'node' ? ['192.0.2.1'] : []),
      isLocal: (ip) => ip === '192.0.2.1' || STATIC.isLocal(ip),
    };
    expect(successorLoop('a', [entrance('a', '0.0.0.0:1', 'node:1')], known)).toEqual(['a']);
    expect(successorLoop('a', [entrance('a', '192.0.2.1:1', 'node:1')], known)).toEqual(['a']);
    expect(successorLoop('a', [entrance('a', '127.0.0.1:1', 'node:1')], known)).toBeUndefined();
  });
});

describe('a configuration', () => {
  const yaml = (tunnels: Record<string, [string, string]>) =>
    stringify({
      version: 1,
      node: 'there',
      hosts: { there: { address: 'a', user: 'u' } },
      actors: { 'agt-key': { key: 'k' } },
      tunnels: Object.fromEntries(
        Object.entries(tunnels).map(([name, [listen, target]]) => [
          name,
          {
            host: 'there',
            actor: 'agt-key',
            target: 't:1',
            listen,
            drain: { step: '1.1', successor: { target, probe: { tcp: {} } } },
          },
        ]),
      ),
    });
  const read = (text: string) => () => parseConfig(Buffer.from(text), 'f.yaml', { HOME: '/h' });

  it('is refused with a successor that leads back', () => {
    expect(read(yaml({ a: ['127.0.0.1:2001', 'localhost:2001'] }))).toThrow('is its own local port');
    expect(read(yaml({ a: ['127.0.0.1:2001', '127.0.0.1:2002'], b: ['127.0.0.1:2002', '0.0.0.0:2001'] }))).toThrow(
      'leads in a circle, over b',
    );
    expect(read(yaml({ a: ['127.0.0.1:2001', '127.0.0.1:2002'] }))).not.toThrow();
  });
});

it('before a cut-over, the addresses of the node are asked for', async () => {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const signal = new AbortController().signal;
  for (const { address } of own.filter(({ family }) => family === 'IPv4')) {
    const target = { kind: 'tcp', host: address, port: 2001 } as const;
    const drain = { successor: { target } } as TunnelConfig['drain'];
    const listen = { kind: 'tcp', host: '0.0.0.0', port: 2001 } as const;
    const found = await findLoop('a', [{ name: 'a', listen, direction: 'local', drain }], signal);
    expect(found).toBe('the successor of a is its own local port');
  }
});
