import { describe, expect, it } from 'vitest';
import { socketsFor, wantsSockets } from '../../../../src/machine/install/sockets.ts';
import { nameFits } from '../../../../src/machine/systemd/wanted.ts';
import { configOf } from './facts-of.ts';

const TARGET = 'target: 10.0.0.5:8000';

describe(socketsFor, () => {
  it.each([
    ['127.0.0.1:18000', 'fleet-mesh-forward@18000.socket', undefined],
    ['localhost:18000', 'fleet-mesh-forward@18000.socket', undefined],
    ['127.0.0.2:18000', 'fleet-mesh-tunnel-t.socket', '127.0.0.2:18000'],
    ['0.0.0.0:18000', 'fleet-mesh-tunnel-t.socket', '0.0.0.0:18000'],
    ['[::1]:18000', 'fleet-mesh-tunnel-t.socket', '[::1]:18000'],
    ['unix:/run/a 100%.sock', 'fleet-mesh-tunnel-t.socket', '/run/a 100%%.sock'],
  ])('maps %s to %s', (listen, unit, stream) => {
    const { sockets, without } = socketsFor(configOf([`t: { listen: "${listen}", ${TARGET} }`]), 'system');
    expect(without).toEqual([]);
    const [, socket] = sockets;
    expect(socket?.name).toBe(unit);
    const own = socket?.files.get(unit);
    if (stream === undefined) expect(own).toBeUndefined();
    else expect(own).toContain(`\nListenStream=${stream}\n`);
  });

  it('names a socket as the daemon expects, and limits a Unix socket to its user', () => {
    const config = configOf([`t: { listen: "unix:/run/t.sock", ${TARGET} }`]);
    const text = (scope: 'system' | 'user') => [...(socketsFor(config, scope).sockets[1]?.files.values() ?? [])].join();
    const [, name = ''] = /FileDescriptorName=(.*)/.exec(text('system')) ?? [];
    const address = { kind: 'unix', path: '/run/t.sock' } as const;
    expect(nameFits(name, { user: { kind: 'tunnel', name: 't' }, address })).toBe(true);
    expect(text('system')).toContain('SocketMode=0600\nSocketUser=fleet-mesh\n');
    expect(text('user')).toContain('SocketMode=0600\nFile');
  });

  it('creates no socket for a remote listener or a host name', () => {
    const { sockets, without } = socketsFor(
      configOf([
        `far: { direction: remote, listen: 127.0.0.1:1, target: 127.0.0.1:2 }`,
        `named: { listen: "node.example:3", ${TARGET} }`,
      ]),
      'system',
    );
    expect(sockets.map(({ name }) => name)).toEqual(['fleet-mesh-endpoint.socket']);
    expect(without).toEqual(['tunnel named at node.example:3']);
  });

  it('moves the endpoint socket to the address in the file', () => {
    const endpointOf = (listen: string) => socketsFor(configOf([], listen), 'system').sockets[0];
    expect(endpointOf('127.0.0.1:9780')?.files.size).toBe(0);
    expect(endpointOf('127.0.0.1:9781')?.files.get('fleet-mesh-endpoint.socket.d/50-listen.conf')).toMatch(
      /ListenStream=\nListenStream=127\.0\.0\.1:9781\n/,
    );
  });

  it('starts all sockets with the daemon', () => {
    const { sockets } = socketsFor(configOf([`t: { listen: 127.0.0.1:18000, ${TARGET} }`]), 'user');
    expect(wantsSockets(sockets)).toContain('Wants=fleet-mesh-endpoint.socket fleet-mesh-forward@18000.socket\n');
  });
});
