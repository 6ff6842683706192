import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../../src/base/net/address.ts';
import { pathOfSocket } from '../../../../src/machine/systemd/inherited-socket.ts';
import { passedFds } from '../../../../src/machine/systemd/listen-fds.ts';
import { addressFits, nameFits, type Wanted } from '../../../../src/machine/systemd/wanted.ts';

function tunnel(name: string, listen: string): Wanted {
  return { user: { kind: 'tunnel', name }, address: at(listen) };
}

function at(text: string) {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
}

describe('sockets from systemd', () => {
  it.each([
    [{}, []],
    [{ LISTEN_PID: '8', LISTEN_FDS: '1', LISTEN_FDNAMES: 'endpoint' }, []],
    [{ LISTEN_PID: '7', LISTEN_FDS: '-1' }, []],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1e3' }, []],
    [{ LISTEN_PID: '7', LISTEN_FDS: '1' }, [{ fd: 3, name: 'unknown' }]],
    [
      { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'endpoint:forward-18000' },
      [
        { fd: 3, name: 'endpoint' },
        { fd: 4, name: 'forward-18000' },
      ],
    ],
    [
      { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'endpoint' },
      [
        { fd: 3, name: 'endpoint' },
        { fd: 4, name: 'unknown' },
      ],
    ],
  ])('reads the passed descriptors from %o', (env, fds) => {
    expect(passedFds(env, 7)).toEqual(fds);
  });

  it.each([
    ['endpoint', { user: { kind: 'endpoint' }, address: at('127.0.0.1:9780') }, true],
    ['endpoint', tunnel('endpoint', '127.0.0.1:1'), false],
    ['forward-18000', tunnel('hub', '127.0.0.1:18000'), true],
    ['forward-1800', tunnel('hub', '127.0.0.1:18000'), false],
    ['forward-18000', { user: { kind: 'endpoint' }, address: at('127.0.0.1:18000') }, false],
    ['tunnel-hub', tunnel('hub', 'unix:/run/hub'), true],
    ['tunnel-hub2', tunnel('hub', 'unix:/run/hub'), false],
    ['fleet-mesh-hub.socket', tunnel('hub', '127.0.0.1:18000'), false],
  ] as const)('matches socket name %s with %o: %s', (name, wanted, fits) => {
    expect(nameFits(name, wanted)).toBe(fits);
  });

  it.each([
    ['127.0.0.1:18000', '127.0.0.1:18000', true],
    ['127.0.0.1:18001', '127.0.0.1:18000', false],
    ['0.0.0.0:18000', '127.0.0.1:18000', false],
    ['[::1]:18000', '[0:0::1]:18000', true],
    ['[::1]:18000', 'localhost:18000', true],
    ['10.0.0.1:18000', 'localhost:18000', false],
    ['unix:/run/a', 'unix:/run/a', true],
    ['unix:/run/a', 'unix:/run/b', false],
    ['unix:/run/a', '127.0.0.1:18000', false],
  ])('matches the bound address %s with %s in the YAML: %s', (bound, listen, fits) => {
    expect(addressFits(at(bound), tunnel('hub', listen))).toBe(fits);
  });

  it('finds the path of a Unix socket by its inode, also with spaces', () => {
    const table = [
      'Num       RefCount Protocol Flags    Type St Inode Path',
      'ffff8881: 00000002 00000000 00010000 0001 01 81234 /run/fleet mesh/echo.sock',
      'ffff8882: 00000003 00000000 00000000 0001 03     8',
      'ffff8883: 00000002 00000000 00010000 0001 01  1234 @abstract',
    ].join('\n');
    expect([81234, 8, 1234, 5].map((inode) => pathOfSocket(table, inode))).toEqual([
      '/run/fleet mesh/echo.sock',
      undefined,
      undefined,
      undefined,
    ]);
  });
});
