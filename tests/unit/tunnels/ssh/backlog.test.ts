import { Duplex, PassThrough, Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { Backlog } from '../../../../src/tunnels/ssh/backlog.ts';

/** A transport that accepts no data until the test releases it. */
class Stalling extends Duplex {
  readonly #stuck: (() => void)[] = [];
  constructor() {
    super({ writableHighWaterMark: 100 });
  }
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#stuck.push(done);
  }
  /** Waits until the queue is empty. */
  flow(): void {
    for (let done = this.#stuck.shift(); done; done = this.#stuck.shift()) done();
  }
}

const sink = () =>
  Duplex.from({
    writable: new Writable({ write: (_chunk, _encoding, done) => done() }),
    readable: new PassThrough(),
  });

it('stops every governed stream while the transport is full, and emits drain afterwards', async () => {
  const transport = new Stalling();
  const backlog = new Backlog(transport);
  const streams = [sink(), sink()];
  for (const stream of streams) backlog.govern(stream);
  let drained = 0;
  for (const stream of streams) stream.on('drain', () => drained++);

  expect(streams.map((stream) => stream.write('x'))).toEqual([true, true]);
  expect(transport.write(Buffer.alloc(99))).toBe(true);
  expect(streams[0]?.write('x')).toBe(true);
  expect(transport.write(Buffer.alloc(1))).toBe(false);
  expect(streams.map((stream) => stream.write('x'))).toEqual([false, false]);
  expect(drained).toBe(0);

  const relieved = new Promise((resolve) => transport.once('drain', resolve));
  while (transport.writableLength > 0) {
    transport.flow();
    await new Promise(setImmediate);
  }
  await relieved;
  expect(drained).toBe(2);
  expect(streams.map((stream) => stream.write('x'))).toEqual([true, true]);
});

it('stops and starts a pipe', async () => {
  const transport = new Stalling();
  const backlog = new Backlog(transport);
  const channel = sink();
  backlog.govern(channel);
  transport.write(Buffer.alloc(200));
  const source = new PassThrough({ highWaterMark: 10 });
  source.pipe(channel);
  source.write('hello');
  await new Promise(setImmediate);
  expect(source.isPaused()).toBe(true);
  while (transport.writableLength > 0) {
    transport.flow();
    await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  expect(source.isPaused()).toBe(false);
});

it('stops every governed stream while it is held, and emits drain afterwards', () => {
  const backlog = new Backlog(new Stalling());
  const stream = sink();
  backlog.govern(stream);
  let drained = 0;
  stream.on('drain', () => drained++);
  expect(stream.write('x')).toBe(true);
  backlog.hold(true);
  expect(stream.write('x')).toBe(false);
  backlog.hold(false);
  expect(drained).toBe(1);
  expect(stream.write('x')).toBe(true);
});

it('keeps the streams stopped when the transport is full at the end of the hold', () => {
  const transport = new Stalling();
  const backlog = new Backlog(transport);
  const stream = sink();
  backlog.govern(stream);
  let drained = 0;
  stream.on('drain', () => drained++);
  backlog.hold(true);
  expect(stream.write('x')).toBe(false);
  transport.write(Buffer.alloc(200));
  backlog.hold(false);
  expect(drained).toBe(0);
});
