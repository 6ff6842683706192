import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp, ipFromBytes, parseIp } from '../../../../src/base/net/ip.ts';

const hex = (text: string) => {
  const ip = parseIp(text);
  return ip && Buffer.from(ip).toString('hex');
};

describe(parseIp, () => {
  it.each([
    ['10.43.0.1', '0a2b0001'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['1::', `0001${'0'.repeat(28)}`],
    ['2001:DB8::a:0:1', '20010db8000000000000000a00000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201'],
    // IPv4-mapped, in every spelling.
    ['::ffff:10.43.0.1', '0a2b0001'],
    ['::FFFF:0a2b:0001', '0a2b0001'],
    ['0:0:0:0:0:ffff:10.43.0.1', '0a2b0001'],
    ['::ffff:0:0', '00000000'],
  ])('parses %j', (text, expected) => expect(hex(text)).toBe(expected));

  it.each([
    '',
    'name',
    '10.43.0',
    '10.43.0.256',
    '010.1.1.1',
    '1.1.1.1 ',
    '::1%lo',
    '[::1]',
    ':::',
    '1::2::3',
    '0x7f.1',
  ])('not %j', (text) => expect(hex(text)).toBeUndefined());

  it('parses exactly the addresses that node:net accepts', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseIp(text) !== undefined).toBe(isIPv4(text) || (isIPv6(text) && !text.includes('%')));
      }),
    );
    fc.assert(fc.property(fc.ipV4(), (text) => void expect(parseIp(text)).toHaveLength(4)));
    fc.assert(fc.property(fc.ipV6(), (text) => void expect([4, 16]).toContain(parseIp(text)?.length)));
  });
});

describe(formatIp, () => {
  it('prints text that parseIp reads back', () => {
    for (const length of [4, 16]) {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (bytes) => {
          const ip = ipFromBytes(bytes);
          expect(parseIp(formatIp(ip))).toEqual(ip);
        }),
      );
    }
  });

  it('shortens groups of zeros', () =>
    expect(formatIp(ipFromBytes(Buffer.from(`fd${'0'.repeat(29)}1`, 'hex')))).toBe('fd00::1'));
});
