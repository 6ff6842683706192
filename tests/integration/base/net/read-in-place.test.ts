import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { SERVER_OPTIONS } from '../../../../src/base/net/listener.ts';
import { pour } from '../../../../src/base/net/pour.ts';
import { readInPlace, readShared } from '../../../../src/base/net/read-in-place.ts';
import { listenLoopback } from '../../../support/peers/loopback.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** Copies each chunk at once, like a channel, and finishes the write when the test says so. */
class Target extends Writable {
  readonly chunks: Buffer[] = [];
  readonly memory = new Set<unknown>();
  stuck: (() => void) | undefined;
  holding = false;
  constructor() {
    super({ highWaterMark: 128 * 1024 });
  }
  override _write(chunk: Buffer, _encoding: unknown, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    this.memory.add(chunk.buffer);
    if (this.holding) this.stuck = done;
    else done();
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

/** A client, and the accepted connection. */
async function pair() {
  let accepted: Socket | undefined;
  const server = await listenLoopback((socket) => {
    accepted = socket;
  }, SERVER_OPTIONS);
  const client = connect({ host: '127.0.0.1', port: server.port });
  await once(client, 'connect');
  const socket = await waitUntil('the connection is accepted', () => accepted);
  return { client, socket, [Symbol.asyncDispose]: () => server.stop() };
}

const sent = (client: Socket, text: string) => new Promise<unknown>((resolve) => client.write(text, resolve));

describe('a socket that reads in place', () => {
  it('reads all chunks into one memory with the installed Node, and passes the end on', async () => {
    await using line = await pair();
    const target = new Target();
    pour(line.socket, target, () => target.end());
    expect(readInPlace(line.socket, target)).toBeTypeOf('function');
    for (const text of ['one ', 'two ', 'three']) {
      await sent(line.client, text);
      await waitUntil('the chunk arrives', () => target.text.endsWith(text));
    }
    line.client.end();
    await once(target, 'finish');
    expect(target.text).toBe('one two three');
    expect(target.memory.size).toBe(1);
  });

  it('copies the chunks that the target, or the socket, keeps', async () => {
    await using line = await pair();
    const target = new Target();
    target.holding = true;
    const stop = pour(line.socket, target, () => {});
    const otherReader = readInPlace(line.socket, target);
    for (const [length, text] of ['one ', 'two ', 'three '].entries()) {
      await sent(line.client, text);
      await waitUntil('the chunk waits', () => target.writableLength === [4, 8, 14][length]);
    }
    stop();
    otherReader?.();
    await sent(line.client, 'four');
    await waitUntil('the last chunk waits', () => line.socket.read(0) === null && line.socket.readableLength === 4);
    target.holding = false;
    target.stuck?.();
    pour(line.socket, target, () => {});
    await waitUntil('everything arrives', () => target.text === 'one two three four');
  });

  it('reads as usual when Node has other insides', async () => {
    await using line = await pair();
    const handle = (line.socket as unknown as { _handle: { useUserBuffer: unknown } })._handle;
    Object.defineProperty(handle, 'useUserBuffer', { value: undefined });
    const target = new Target();
    pour(line.socket, target, () => {});
    expect(readInPlace(line.socket, target)).toBeUndefined();
    await sent(line.client, 'still works');
    await waitUntil('the chunk arrives', () => target.text === 'still works');
  });

  it('copies what arrives before its target is known, and then reads in place', async () => {
    await using line = await pair();
    await using other = await pair();
    for (const { socket } of [line, other]) {
      readShared(socket);
      socket.read(0);
    }
    await sent(line.client, 'first ');
    await waitUntil('the first chunk waits', () => line.socket.readableLength === 6);
    // Into the same memory.
    await sent(other.client, 'xxxxxxxxxxxx');
    await waitUntil('another socket has read', () => other.socket.readableLength === 12);
    const target = new Target();
    pour(line.socket, target, () => target.end());
    expect(readInPlace(line.socket, target)).toBeTypeOf('function');
    await waitUntil('the first chunk arrives', () => target.text === 'first ');
    const before = target.memory.size;
    for (const text of ['second ', 'third']) {
      await sent(line.client, text);
      await waitUntil('the chunk arrives', () => target.text.endsWith(text));
    }
    expect([target.text, target.memory.size - before]).toEqual(['first second third', 1]);
  });

  it('reads as usual before its target is known when a part of Node is missing', async () => {
    await using line = await pair();
    const handle = (line.socket as unknown as { _handle: { useUserBuffer: unknown } })._handle;
    Object.defineProperty(handle, 'useUserBuffer', { value: undefined });
    readShared(line.socket);
    line.socket.read(0);
    await sent(line.client, 'still works');
    await waitUntil('the chunk waits', () => line.socket.readableLength === 11);
    expect(String(line.socket.read())).toBe('still works');
  });
});
