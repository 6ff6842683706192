import { describe, expect, it } from 'vitest';
import {
  findInsides,
  PacketCount,
  type Protocol,
  wholePackets,
} from '../../../../../src/tunnels/ssh/packets/insides.ts';

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
    const gcm = protocol(new AESGCMDecipherBinding());
    expect(wholePackets(gcm, bytes, 0, bytes.length)).toBe(136);
    expect(wholePackets(gcm, bytes, 136, bytes.length)).toBe(136);
    expect(wholePackets(gcm, bytes, 136, 138)).toBe(136);
  });

  it.each([
    { when: 'other ciphers', of: protocol(new GenericDecipher()) },
    { when: 'a key exchange', of: protocol(new AESGCMDecipherBinding(), Buffer.alloc(1)) },
  ])('are unknown for $when', ({ of }) => {
    expect(wholePackets(of, bytes, 0, bytes.length)).toBe(bytes.length);
  });

  it('leave a packet that is too long to ssh2', () => {
    const long = packet(40_000).subarray(0, 100);
    expect(wholePackets(protocol(new AESGCMDecipherBinding()), long, 0, 100)).toBe(100);
  });

  it('begin after the packet that ssh2 is inside of', () => {
    const inside = Object.assign(new AESGCMDecipherBinding(), { _lenBytes: 4, _len: 32, _pktLen: 30 });
    expect(wholePackets(protocol(inside), bytes, 0, bytes.length)).toBe(18);
    expect(wholePackets(protocol(inside), bytes, 0, 10)).toBe(10);
  });

  it.each([
    ['a wrong tag', { _len: 32, _pktLen: 32, _tagPos: 16 }],
    ['a length with the highest bit', { _len: -0x7fff_ffff, _pktLen: 0, _tagPos: 0 }],
  ])('never end again after %s: ssh2 has stopped there, and gets all bytes', (_, stopped) => {
    const broken = Object.assign(new AESGCMDecipherBinding(), { _lenBytes: 4 }, stopped);
    expect(wholePackets(protocol(broken), bytes, 40, bytes.length)).toBe(bytes.length);
  });
});

describe('the packets of a piece', () => {
  const memory = new ArrayBuffer(8);
  const start = () => {
    const state = { _decipher: { inSeqno: 2 ** 32 - 1, _packet: null as Uint8Array | null } };
    const count = new PacketCount(state as unknown as Protocol);
    count.begin();
    return { state, count };
  };

  it('are counted by the cipher, also when its number starts again', () => {
    const { state, count } = start();
    state._decipher.inSeqno = 2;
    expect(count.end(memory)).toBe(3);
  });

  it('are unknown after a change of keys', () => {
    const { state, count } = start();
    state._decipher = { inSeqno: 3, _packet: null };
    expect(count.end(memory)).toBeUndefined();
  });

  it('are unknown while the cipher keeps the start of a packet in the same memory', () => {
    const { state, count } = start();
    state._decipher._packet = new Uint8Array(memory, 2);
    expect(count.end(memory)).toBeUndefined();
    state._decipher._packet = new Uint8Array(8);
    expect(count.end(memory)).toBe(0);
  });
});

it('finds no insides in a client of another version', () => {
  expect(findInsides({} as never)).toBeUndefined();
  expect(findInsides({ _protocol: {}, _chanMgr: { add: () => 0, remove: () => {} } } as never)).toBeUndefined();
});
