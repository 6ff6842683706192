import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { pour } from '../../../../src/base/net/pour.ts';

/** Takes four bytes, and more when the test says so. */
class Slow extends Writable {
  readonly taken: string[] = [];
  next: (() => void) | undefined;
  constructor() {
    super({ highWaterMark: 4 });
  }
  override _write(chunk: Buffer, _encoding: unknown, done: () => void): void {
    this.taken.push(String(chunk));
    this.next = done;
  }
}

describe(pour, () => {
  it('pauses the source while the sink is full, and tells the end after the last byte', async () => {
    const [source, sink] = [new PassThrough(), new Slow()];
    let ended = false;
    pour(source, sink, () => {
      ended = true;
    });
    source.write('one one');
    source.write('two');
    source.end();
    await turn();
    expect([sink.taken, source.isPaused(), ended]).toEqual([['one one'], true, false]);
    sink.next?.();
    await once(source, 'end');
    sink.next?.();
    await turn();
    expect([sink.taken.join(' '), ended, sink.writableEnded]).toEqual(['one one two', true, false]);
  });

  it('leaves the bytes after its stop to another reader', async () => {
    const [source, sink] = [new PassThrough(), new Slow()];
    const stop = pour(source, sink, () => {});
    source.write('one');
    await turn();
    stop();
    source.write('two');
    await turn();
    expect([sink.taken, String(source.read())]).toEqual([['one'], 'two']);
    expect([source.listenerCount('data'), source.listenerCount('end'), sink.listenerCount('drain')]).toEqual([0, 0, 0]);
  });

  it('tells the end of a source that has ended before', async () => {
    const [source, sink] = [new PassThrough(), new Slow()];
    source.end();
    source.resume();
    await once(source, 'end');
    await new Promise<void>((resolve) => void pour(source, sink, resolve));
    expect(sink.taken).toEqual([]);
  });

  it('stops reading when the sink takes no more', async () => {
    const [source, sink] = [new PassThrough(), new Slow()];
    pour(source, sink, () => {});
    sink.end();
    source.write('one');
    await turn();
    expect([sink.taken, source.isPaused()]).toEqual([[], true]);
  });
});
