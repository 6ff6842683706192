import { Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Trace } from '../../../../../src/tunnels/ssh/packets/trace.ts';

/** A stream that tells its trace what a forwarded channel tells. */
class Source extends Readable {
  readonly trace = new Trace(this);
  override _read(): void {}
  give(bytes: number): void {
    this.trace.pushed += bytes;
    this.push(Buffer.alloc(bytes));
  }
  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    return this.trace.piping(destination, () => super.pipe(destination));
  }
  override unpipe(destination?: NodeJS.WritableStream): this {
    this.trace.unpiping();
    return super.unpipe(destination);
  }
}

/** A socket whose kernel takes a write when the test says so. */
class Sink extends Socket {
  #taken: (() => void)[] = [];
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    this.#taken.push(done);
  }
  override _writev = undefined as never;
  async kernelTakes(): Promise<void> {
    this.#taken.shift()?.();
    await turn();
  }
}

async function piped() {
  const source = new Source();
  const sink = new Sink();
  source.pipe(sink);
  await turn();
  return { source, sink, trace: source.trace };
}

describe('the trace of a stream', () => {
  it('counts bytes as released when the kernel has them, not when the socket has them', async () => {
    const { source, sink, trace } = await piped();
    expect(trace.sink).toBe(sink);
    source.give(10_000);
    expect(trace.released).toBe(0);
    source.give(10_000);
    await sink.kernelTakes();
    expect(trace.released).toBe(10_000);
    await sink.kernelTakes();
    expect(trace.released).toBe(20_000);
  });

  it('counts bytes that wait in the stream as in use', async () => {
    const { source, sink, trace } = await piped();
    for (const bytes of [100_000, 5_000]) source.give(bytes);
    expect(source.readableLength).toBe(5_000);
    expect(trace.sink).toBeUndefined();
    await sink.kernelTakes();
    expect(trace.released).toBe(100_000);
    await sink.kernelTakes();
    expect(trace.released).toBe(105_000);
  });

  it('releases what the socket got, and not the rest, when the pipe ends', async () => {
    const { source, sink, trace } = await piped();
    for (const bytes of [100_000, 5_000]) source.give(bytes);
    source.unpipe(sink);
    source.resume();
    await turn();
    expect(trace.released).toBe(0);
    await sink.kernelTakes();
    expect(trace.released).toBe(100_000);
  });

  it('releases the bytes of a destroyed socket', async () => {
    const { source, sink, trace } = await piped();
    source.give(10_000);
    sink.destroy();
    expect(trace.released).toBe(10_000);
  });

  it.each([
    { who: 'another reader', keep: (source: Source) => void source.once('data', () => {}) },
    { who: 'another reader of chunks', keep: (source: Source) => void source.prependListener('readable', () => {}) },
    { who: 'another socket', keep: (source: Source) => void source.pipe(new Sink()) },
  ])('releases nothing that $who may keep', async ({ keep }) => {
    const { source, sink, trace } = await piped();
    keep(source);
    source.give(10_000);
    await sink.kernelTakes();
    expect([trace.traceable, trace.released, trace.sink]).toEqual([false, 0, undefined]);
  });

  it('cannot tell without a socket', () => {
    const source = new Source();
    expect(source.trace.traceable).toBe(false);
    source.pipe(new PassThrough());
    expect(source.trace.traceable).toBe(false);
  });
});
