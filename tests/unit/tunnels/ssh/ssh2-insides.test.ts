import type { Client, ClientChannel } from 'ssh2';
import { describe, expect, test } from 'vitest';
import { hasEnded, packetWriter, requestKeepalive } from '../../../../src/tunnels/ssh/ssh2-insides.ts';

const internal = expect.objectContaining({ code: 'internal', hint: expect.stringContaining('1.17.0') });

describe(packetWriter, () => {
  class Writer {
    readonly allocStart: number = 5;
    alloc(): Buffer {
      return Buffer.alloc(8);
    }
    finalize(): void {}
  }
  const clientWith = (write: unknown) => ({ _protocol: { _packetRW: { write } } }) as unknown as Client;
  const broken = (change: object) => clientWith(Object.assign(Object.create(new Writer()), change));

  test('returns the writer as ssh2 made it', () => {
    const writer = new Writer();
    expect(packetWriter(clientWith(writer))).toBe(writer);
  });

  test.each<[string, Client]>([
    ['no _protocol', {} as Client],
    ['no _packetRW', { _protocol: {} } as unknown as Client],
    ['no write', { _protocol: { _packetRW: {} } } as unknown as Client],
    ['no alloc', broken({ alloc: undefined })],
    ['no finalize', clientWith({ allocStart: 5, alloc: () => Buffer.alloc(8) })],
    ['a finalize that is overridden already', broken({ finalize: () => {} })],
    ['no allocStart', broken({ allocStart: undefined })],
  ])('rejects a client with %s', (_, client) => {
    expect(() => packetWriter(client)).toThrow(internal);
  });
});

describe(requestKeepalive, () => {
  test('queues one callback for the reply, and sends one request', () => {
    let pings = 0;
    const callbacks: (() => void)[] = [() => {}];
    const onReply = () => {};
    requestKeepalive({ _callbacks: callbacks, _protocol: { ping: () => pings++ } } as unknown as Client, onReply);
    expect([callbacks.length, callbacks.at(-1), pings]).toEqual([2, onReply, 1]);
  });

  test.each<[string, object]>([
    ['no queue of callbacks', { _protocol: { ping: () => {} } }],
    ['no ping', { _callbacks: [], _protocol: {} }],
    ['no _protocol', { _callbacks: [] }],
  ])('rejects a client with %s', (_, client) => {
    expect(() => requestKeepalive(client as Client, () => {})).toThrow(internal);
  });
});

describe(hasEnded, () => {
  test.each([
    ['eof', true],
    ['closed', true],
    ['open', false],
    [undefined, false],
  ])('reads the incoming state %s as ended: %s', (state, ended) => {
    expect(hasEnded({ incoming: { state } } as unknown as ClientChannel)).toBe(ended);
  });

  test('treats a channel without a state as not ended', () => {
    expect(hasEnded({} as ClientChannel)).toBe(false);
  });
});
