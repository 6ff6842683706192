import { describe, expect, test } from 'vitest';
import { canonicalHost, isLoopbackHost, reachableHost } from '../../../../src/base/net/host.ts';

test.each([
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::0001', '::1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '127.0.0.1'],
  ['Example.COM', 'example.com'],
])('writes the host %s as %s for comparisons', (host, canonical) => {
  expect(canonicalHost(host)).toBe(canonical);
});

describe('a loopback host', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'LocalHost'])(
    'includes %s',
    (host) => {
      expect(isLoopbackHost(host)).toBe(true);
    },
  );
  // 7f00:: begins with the byte 127 as well.
  test.each(['0.0.0.0', '::', '128.0.0.1', '7f00::1', '127.0.0.1.example', '10.0.0.1'])('excludes %s', (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });
});

test.each([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
  ['0:0:0:0:0:0:0:0', '::1'],
  ['10.0.0.1', '10.0.0.1'],
  ['a.example', 'a.example'],
])('reaches a listener on %s at %s', (listen, host) => {
  expect(reachableHost(listen)).toBe(host);
});
