import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp, ipFromBytes, parseIp } from '../../../../src/base/net/ip.ts';
import { destinationOf } from '../../../../src/config/allow/destination.ts';
import { isAllowed } from '../../../../src/config/allow/match.ts';
import { rules } from './rules.ts';

const asks = (host: string, port: number, ...texts: string[]) => {
  const destination = destinationOf(host, port);
  return destination !== undefined && isAllowed(rules(...texts), destination);
};

describe(isAllowed, () => {
  it.each([
    ['10.43.7.1', 443, '10.43.0.0/16:443'],
    ['::ffff:10.43.7.1', 443, '10.43.0.0/16:443'],
    ['::ffff:a2b:701', 443, '10.43.0.0/16:443'],
    ['10.43.7.1', 443, '[::ffff:10.43.0.0/112]:443'],
    ['10.43.0.1', 65_535, '10.43.0.1:*'],
    ['127.255.255.255', 1, '127.0.0.0/9:*', '127.128.0.0/9:1'],
    ['8.8.8.8', 53, '0.0.0.0/0:53'],
    ['fd12:3456::1', 22, '[fd00::/8]:*'],
    ['FD00:0:0::1', 22, '[fd00::1]:22'],
    ['2001:db8::1', 22, '[::/0]:22'],
    ['name', 8000, 'name:8000'],
    ['NAME', 8000, 'name:8000'],
    ['name.', 8000, 'name:8000'],
    ['name', 8000, 'Name.:8000'],
    ['a.example.org', 85, '*.example.org:80-90'],
    ['A.B.Example.Org.', 80, '*.example.org:80-90'],
    ['anything.at.all', 443, '*:443'],
  ] as [string, number, ...string[]][])('allows %s port %i by %s', (host, port, ...texts) =>
    expect(asks(host, port, ...texts)).toBe(true),
  );

  it.each([
    ['10.44.0.0', 443, '10.43.0.0/16:443'],
    ['10.42.255.255', 443, '10.43.0.0/16:443'],
    ['10.43.0.1', 444, '10.43.0.0/16:443'],
    ['10.43.0.1', 443, '10.43.0.0/32:443'],
    ['10.43.0.1', 0, '0.0.0.0/0:*'],
    // Names are not resolved here, so an address rule never matches a name.
    ['localhost', 80, '127.0.0.1:*', '127.0.0.0/8:*', '0.0.0.0/0:*', '[::/0]:*'],
    // Addresses are no names.
    ['10.0.0.1', 80, '*:*'],
    ['::1', 80, '*:*'],
    ['::ffff:10.0.0.1', 80, '*:*', '[::/0]:*'],
    // inet_aton(3) on the far side reads these as addresses.
    ['127.1', 80, '*:*', '0.0.0.0/0:*'],
    ['2130706433', 80, '*:*', '0.0.0.0/0:*'],
    ['0x7f000001', 80, '*:*'],
    ['0x7f.1', 80, '*:*'],
    ['0177.0.0.01', 80, '*:*'],
    ['1.2.3.4.', 80, '*:*'],
    ['1.2.3.0x', 80, '*:*'],
    // An IPv6 address never matches an IPv4 rule.
    ['::10.43.0.1', 443, '10.43.0.0/16:443'],
    ['64:ff9b::10.43.0.1', 443, '10.43.0.0/16:443'],
    ['fe80::1%eth0', 80, '[::/0]:*', '*:*'],
    ['[::1]', 80, '[::/0]:*', '*:*'],
    ['example.org', 80, '*.example.org:80'],
    ['badexample.org', 80, '*.example.org:80'],
    ['example.org.evil.net', 80, '*.example.org:80'],
    ['.example.org', 80, '*.example.org:80'],
    ['a..example.org', 80, '*.example.org:80'],
    ['a\0.example.org', 80, '*.example.org:80'],
    ['evil.net/.example.org', 80, '*.example.org:80'],
    ['evil.net\n.example.org', 80, '*.example.org:80'],
    ['a.example.org..', 80, '*.example.org:80'],
    ['', 80, '*:*'],
    ['.', 80, '*:*'],
  ] as [string, number, ...string[]][])('forbids %j port %i with the rules %s', (host, port, ...texts) => {
    expect(asks(host, port, ...texts)).toBe(false);
  });

  it('allows only addresses that BlockList also finds in the network', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }));
    const v6 = fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }));
    // Half of the addresses are inside the network; random ones almost never are.
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.constantFrom('any', 'near'), ([address, base, bits], where) => {
        const network = parseIp(base);
        const ip = where === 'near' ? network : parseIp(address);
        // BlockList treats mapped addresses differently; other tests cover them.
        if (network === undefined || ip === undefined || network.length !== (isIPv4(base) ? 4 : 16)) return;
        const masked = network.map((byte, index) => byte & ~(0xff >> Math.min(8, Math.max(0, bits - index * 8))));
        if (ipFromBytes(masked).length !== network.length) return;
        const family = network.length === 4 ? 'ipv4' : 'ipv6';
        const judge = new BlockList();
        judge.addSubnet(formatIp(masked), bits, family);
        const text = formatIp(masked);
        const rule = family === 'ipv4' ? `${text}/${bits}:*` : `[${text}/${bits}]:*`;
        const expected = ip.length === network.length && judge.check(formatIp(ip), family);
        expect(asks(formatIp(ip), 80, rule)).toBe(expected);
        if (where === 'near') expect(expected).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('allows a destination only if a single rule allows the destination', () => {
    const rule = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([ip, port]) => `${ip}:${port}`),
      fc.tuple(fc.domain(), fc.integer({ min: 1, max: 65_535 })).map(([name, port]) => `*.${name}:${port}`),
      fc.domain().map((name) => `${name}:*`),
    );
    fc.assert(
      fc.property(
        fc.array(rule),
        fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()),
        fc.integer({ min: 0, max: 65_535 }),
        (texts, host, port) => {
          expect(asks(host, port, ...texts)).toBe(texts.some((text) => asks(host, port, text)));
          expect(asks(host, port)).toBe(false);
        },
      ),
    );
  });
});
