import { describe, expect, it } from 'vitest';
import { findInsides, type Protocol, wholePackets } from '../../../../../src/tunnels/ssh/packets/insides.ts';

class AESGCMDecipherBinding {
  _lenBytes = 0;
  _len = 0;
  _pktLen = 0;
  _tagPos = 0;
}
class GenericDecipher {}

const protocol = (decipher: object, kexinit?: Buffer) =>
  ({ _decipher: decipher, _kexinit: kexinit }) as unknown as Protocol;

/** A packet of AES-GCM: length, content, tag. */
const packet = (bytes: number) => {
  const whole = Buffer.alloc(4 + bytes + 16);
  whole.writeUInt32BE(bytes);
  return whole;
};

describe('whole packets', () => {
  const bytes = Buffer.concat([packet(32), packet(64), packet(48).subarray(0, 40)]);

  it('end before a packet that has not arrived completely', () => {
    expect(wholePackets(protocol(new AESGCMDecipherBinding()), bytes, 0, bytes.length)).toEqual({ end: 136, count: 2 });
    expect(wholePackets(protocol(new AESGCMDecipherBinding()), bytes, 136, bytes.length)).toEqual({
      end: 136,
      count: 0,
    });
    expect(wholePackets(protocol(new AESGCMDecipherBinding()), bytes, 136, 138)).toEqual({ end: 136, count: 0 });
  });

  it.each([
    { when: 'other ciphers', of: protocol(new GenericDecipher()) },
    { when: 'a key exchange', of: protocol(new AESGCMDecipherBinding(), Buffer.alloc(1)) },
  ])('are unknown for $when', ({ of }) => {
    expect(wholePackets(of, bytes, 0, bytes.length)).toEqual({ end: bytes.length, count: -1 });
  });

  it('leave a packet that is too long to ssh2', () => {
    const long = packet(40_000).subarray(0, 100);
    expect(wholePackets(protocol(new AESGCMDecipherBinding()), long, 0, 100)).toEqual({ end: 100, count: -1 });
  });

  it('begin after the packet that ssh2 is inside of', () => {
    const inside = Object.assign(new AESGCMDecipherBinding(), { _lenBytes: 4, _len: 32, _pktLen: 30 });
    expect(wholePackets(protocol(inside), bytes, 0, bytes.length)).toEqual({ end: 18, count: -1 });
    expect(wholePackets(protocol(inside), bytes, 0, 10)).toEqual({ end: 10, count: -1 });
  });
});

it('finds no insides in a client of another version', () => {
  expect(findInsides({} as never)).toBeUndefined();
  expect(findInsides({ _protocol: {}, _chanMgr: { add: () => 0, remove: () => {} } } as never)).toBeUndefined();
});
