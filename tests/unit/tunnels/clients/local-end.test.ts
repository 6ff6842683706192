import { expect, test } from 'vitest';
import { onlyEnd } from '../../../../src/tunnels/clients/local-end.ts';

test.each(['127.0.0.1', '::1', '192.0.2.1'])('knows the local end of all connections to a listener on %s', (host) => {
  expect(onlyEnd({ kind: 'tcp', host, port: 5_432 })).toEqual({ localAddress: host, localPort: 5_432 });
});

test.each(['0.0.0.0', '::', '::ffff:0.0.0.0', 'localhost', 'fe80::1%eth0'])(
  'does not know the local end of a connection to a listener on %s',
  (host) => {
    expect(onlyEnd({ kind: 'tcp', host, port: 5_432 })).toBeUndefined();
  },
);

test('does not know the local end of a connection to a listener on a free port or a Unix socket', () => {
  expect(onlyEnd({ kind: 'tcp', host: '127.0.0.1', port: 0 })).toBeUndefined();
  expect(onlyEnd({ kind: 'unix', path: '/run/a' })).toBeUndefined();
});
