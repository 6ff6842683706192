import type { Client } from 'ssh2';
import { describe, expect, test } from 'vitest';
import { sendInstead } from '../../../../src/tunnels/ssh/packet-shadow.ts';

const HEADER = 5;
const built = Buffer.from('what ssh2 builds');
const wanted = Buffer.from('what a server wants');

/** The used part of ssh2's packet writer; `sent` has the packets of its own `finalize`. */
class Writer {
  readonly allocStart: number = HEADER;
  readonly sent: string[] = [];
  alloc(length: number): Buffer {
    return Buffer.alloc(HEADER + length + 7, 0xaa);
  }
  finalize(packet: Buffer): Buffer {
    this.sent.push(packet.toString('latin1', HEADER, packet.indexOf(0xaa, HEADER)));
    return packet;
  }
}

function clientWith(write: unknown): Client {
  return { _protocol: { _packetRW: { write } } } as unknown as Client;
}

/** Builds a packet as ssh2 does. */
function build(writer: Writer, payload: Buffer): void {
  const packet = writer.alloc(payload.length);
  packet.set(payload, writer.allocStart);
  writer.finalize(packet);
}

describe(sendInstead, () => {
  test('replaces one packet, and does not change the next one', () => {
    const writer = new Writer();
    sendInstead(clientWith(writer), built, wanted, () => build(writer, built));
    build(writer, built);
    expect(writer.sent).toEqual([wanted.toString(), built.toString()]);
    expect(Object.hasOwn(writer, 'finalize')).toBe(false);
  });

  test('does not change a packet that ssh2 already built as wanted', () => {
    const writer = new Writer();
    sendInstead(clientWith(writer), built, wanted, () => build(writer, wanted));
    expect(writer.sent).toEqual([wanted.toString()]);
  });

  test.each<[string, (writer: Writer) => void, string[]]>([
    ['is unexpected', (writer) => build(writer, Buffer.from('something else')), []],
    ['is cut short', (writer) => build(writer, built.subarray(0, -1)), []],
    ['is never built', () => {}, []],
    ['is followed by a second', (writer) => [1, 2].forEach(() => void build(writer, built)), [wanted.toString()]],
  ])('throws and sends no wrong packet when the request %s', (_, send, sent) => {
    const writer = new Writer();
    expect(() => sendInstead(clientWith(writer), built, wanted, () => send(writer))).toThrow(
      expect.objectContaining({ code: 'internal', message: expect.stringMatching(/^certificate login: .*ssh2/) }),
    );
    expect(writer.sent).toEqual(sent);
    expect(Object.hasOwn(writer, 'finalize')).toBe(false);
  });

  test('rethrows other errors, and restores the writer', () => {
    const writer = new Writer();
    const work = () => {
      throw new Error('elsewhere');
    };
    expect(() => sendInstead(clientWith(writer), built, wanted, work)).toThrow('elsewhere');
    expect(Object.hasOwn(writer, 'finalize')).toBe(false);
  });
});
