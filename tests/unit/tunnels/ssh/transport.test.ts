import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../../../src/tunnels/channel/channel-source.ts';
import { ChannelTransport } from '../../../../src/tunnels/ssh/transport.ts';

/** A channel with the test as the far side. */
function fakeChannel() {
  const sent: Buffer[] = [];
  let release: (() => void) | undefined;
  let stalled = false;
  let lost: (complete: boolean) => void = () => {};
  let closed = 0;
  const stream = new Duplex({
    emitClose: false,
    writableHighWaterMark: 10,
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      sent.push(chunk);
      if (stalled) release = done;
      else done();
    },
  });
  const channel: Channel = { stream, onLost: (callback) => (lost = callback), close: () => closed++ };
  return {
    channel,
    stream,
    sent: () => Buffer.concat(sent).toString(),
    pieces: () => sent.map(String),
    stall: () => (stalled = true),
    resume: () => {
      stalled = false;
      release?.();
    },
    lose: () => lost(false),
    closed: () => closed,
  };
}

const lost = () => new Error('lost');

describe(ChannelTransport, () => {
  it('carries data both ways and counts bytes like a socket', async () => {
    const fake = fakeChannel();
    const transport = new ChannelTransport(fake.channel, lost);
    const arrived = once(transport, 'data');
    fake.stream.push('hello');
    expect(String(await arrived)).toBe('hello');
    await new Promise((resolve) => transport.write('four', resolve));
    expect(fake.sent()).toBe('four');
    expect(transport).toMatchObject({ bytesRead: 5, bytesWritten: 4, writableLength: 0 });
    transport.destroy();
  });

  it('writes in one piece the packet that ssh2 writes in three', async () => {
    const fake = fakeChannel();
    const transport = new ChannelTransport(fake.channel, lost);
    for (const piece of ['length', 'payload']) transport.write(piece);
    await new Promise((resolve) => transport.write('tag', resolve));
    expect(fake.pieces()).toEqual(['lengthpayloadtag']);
    expect(transport).toMatchObject({ bytesWritten: 16, writableLength: 0 });
    transport.destroy();
  });

  it('writes no more than the channel accepts', async () => {
    const fake = fakeChannel();
    fake.stall();
    const transport = new ChannelTransport(fake.channel, lost);
    for (let i = 0; i < 5; i++) {
      transport.write(Buffer.alloc(20));
      await new Promise(setImmediate);
    }
    expect(fake.sent()).toHaveLength(20);
    expect(transport).toMatchObject({ bytesWritten: 100, writableLength: 100 });
    const drained = new Promise<void>((resolve) => transport.write('', () => resolve()));
    await new Promise(setImmediate);
    fake.resume();
    await drained;
    expect(fake.sent()).toHaveLength(100);
    expect(transport.bytesWritten).toBe(100);
    transport.destroy();
  });

  it('closes immediately with the reason when the lower session ends', async () => {
    const fake = fakeChannel();
    fake.stall();
    const transport = new ChannelTransport(fake.channel, lost);
    transport.write(Buffer.alloc(100));
    fake.stream.push('unread');
    const error = once(transport, 'error');
    fake.lose();
    expect(String(await error)).toContain('lost');
    expect(transport.closed || transport.destroyed).toBe(true);
    expect(fake.closed()).toBe(1);
  });

  it('closes after the far end has closed, with or without unread data', async () => {
    const fake = fakeChannel();
    const transport = new ChannelTransport(fake.channel, lost);
    fake.stream.push('last words');
    fake.stream.push(null);
    const read: Buffer[] = [];
    transport.on('data', (chunk: Buffer) => read.push(chunk));
    const closed = once(transport, 'close');
    await once(fake.stream, 'end');
    fake.stream.emit('close');
    await closed;
    expect(Buffer.concat(read).toString()).toBe('last words');
  });

  it('reads the rest of its channel after the close, because an unread channel never closes', async () => {
    const fake = fakeChannel();
    const transport = new ChannelTransport(fake.channel, lost);
    transport.destroy();
    const arrived = once(fake.stream, 'data');
    fake.stream.push('too late');
    await arrived;
    expect(fake.stream.isPaused()).toBe(false);
  });

  it('waits for the end of a write that the channel keeps, also of a small one', async () => {
    const fake = fakeChannel();
    fake.stall();
    const transport = new ChannelTransport(fake.channel, lost);
    const written = new Promise((resolve) => transport.write('small', resolve));
    await new Promise(setImmediate);
    expect(fake.sent()).toBe('small');
    expect(transport.writableLength).toBe(5);
    fake.resume();
    await written;
    expect(transport.writableLength).toBe(0);
    transport.destroy();
  });

  it('ends the channel with its own end', async () => {
    const fake = fakeChannel();
    const transport = new ChannelTransport(fake.channel, lost);
    await new Promise<void>((resolve) => transport.end('bye', resolve));
    expect(fake.sent()).toBe('bye');
    expect(fake.stream.writableEnded).toBe(true);
    transport.destroy();
  });
});
