import type { Readable, Writable } from 'node:stream';

/**
 * Like `source.pipe(sink)`, with three listeners instead of ten: a connection of a few bytes spends much of its time on
 * them. The sink is not ended: `onEnd` decides about that.
 *
 * @returns stops, and pauses the source
 */
export function pour(source: Readable, sink: Writable, onEnd: () => void): () => void {
  const onData = (chunk: Buffer) => {
    if (!sink.writable || !sink.write(chunk)) source.pause();
  };
  const onDrain = () => source.resume();
  source.on('data', onData);
  onceEnded(source, onEnd);
  sink.on('drain', onDrain);
  if (sink.writableNeedDrain) source.pause();
  else source.resume();
  return () => {
    source.off('data', onData).off('end', onEnd).pause();
    sink.off('drain', onDrain);
  };
}

/** Calls back once, when the last byte of the source has been read: soon, if this was before. */
export function onceEnded(source: Readable, onEnd: () => void): void {
  if (source.readableEnded) process.nextTick(onEnd);
  else source.once('end', onEnd);
}
