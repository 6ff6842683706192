import { randomBytes } from 'node:crypto';
import { type Duplex, PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../../../../src/tunnels/channel/channel-source.ts';
import { OwnConnections } from '../../../../../src/tunnels/forward/remote/own-connections.ts';

const channelOf = (stream: Duplex): Channel => ({ stream, onLost() {}, close: () => stream.destroy() });

describe(OwnConnections, () => {
  it('recognises its own connection by the nonce in any chunks, and keeps the bytes after the nonce', async () => {
    for (const cut of [1, 16, 31, 32, 33]) {
      const own = new OwnConnections();
      const expected = own.expect();
      const stream = new PassThrough();
      const claimed = own.claim(channelOf(stream));
      const sent = Buffer.concat([expected.nonce, Buffer.from('and more')]);
      stream.write(sent.subarray(0, cut));
      await new Promise(setImmediate);
      stream.end(sent.subarray(cut));
      expect(await claimed).toBe(true);
      expect((await buffer((await expected.arrived).stream)).toString()).toBe('and more');
      expect(own.pending).toBe(false);
    }
  });

  it.each([
    ['its first byte', Buffer.from('G')],
    ['many bytes', randomBytes(100_000)],
    ['an early end', Buffer.alloc(0)],
  ])('lets a client go at %s, with all that it sent and its end', async (_, sent) => {
    const own = new OwnConnections();
    const expected = own.expect();
    const stream = new PassThrough({ highWaterMark: 1_000_000 });
    // A nonce does not start with this byte.
    if (sent.length > 0) sent[0] = (expected.nonce[0] ?? 0) ^ 1;
    stream.end(sent);
    expect(await own.claim(channelOf(stream))).toBe(false);
    expect(await buffer(stream)).toEqual(sent);
    expect(own.pending).toBe(true);
    expected.forget();
    expect(own.pending).toBe(false);
  });

  it('releases a silent client when no own connection is expected any more', async () => {
    const own = new OwnConnections();
    const expected = own.expect();
    const silent = new PassThrough();
    const other = new PassThrough();
    const claims = [own.claim(channelOf(silent)), own.claim(channelOf(other))];
    other.write(expected.nonce);
    expect(await Promise.all(claims)).toEqual([false, true]);
    silent.end('later');
    expect((await buffer(silent)).toString()).toBe('later');

    const again = own.expect();
    const second = new PassThrough();
    const claim = own.claim(channelOf(second));
    again.forget();
    expect(await claim).toBe(false);
  });

  it('releases a client whose first bytes match the start of a nonce', async () => {
    const own = new OwnConnections();
    const { nonce } = own.expect();
    const stream = new PassThrough();
    const claim = own.claim(channelOf(stream));
    const half = nonce.subarray(0, 20);
    stream.write(half);
    await new Promise(setImmediate);
    stream.end();
    expect(await claim).toBe(false);
    expect(await buffer(stream)).toEqual(half);
  });

  it('distinguishes several own connections', async () => {
    const own = new OwnConnections();
    const expected = [own.expect(), own.expect(), own.expect()];
    const streams = expected.map(() => new PassThrough());
    const claims = streams.map((stream) => own.claim(channelOf(stream)));
    for (const [index, stream] of [...streams.entries()].reverse()) stream.write(expected[index]?.nonce);
    expect(await Promise.all(claims)).toEqual([true, true, true]);
    const arrived = await Promise.all(expected.map((each) => each.arrived));
    expect(arrived.map(({ stream }) => streams.indexOf(stream as PassThrough))).toEqual([0, 1, 2]);
  });
});
