import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readerOf, SocketReader } from '../../../../../src/tunnels/ssh/packets/socket-reader.ts';
import { bulkBytes } from '../../../../support/clients/bulk.ts';
import { listenLoopback } from '../../../../support/peers/loopback.ts';

async function connected(port: number): Promise<{ socket: Socket; reader: SocketReader }> {
  const reader = new SocketReader();
  const socket = connect({ host: '127.0.0.1', port, onread: reader.onread });
  reader.bind(socket);
  await once(socket, 'connect');
  return { socket, reader };
}

const plan = { seed: 5, bytes: 3_000_000 };
const content = Buffer.concat([...bulkBytes(plan)]);
const startSource = () => listenLoopback((socket) => void socket.end(content));

describe('the reader of a socket', () => {
  it('hands on every byte, also while the stream is paused', async () => {
    await using source = await startSource();
    const { socket, reader } = await connected(source.port);
    expect(readerOf(socket)).toBe(reader);
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    await once(socket, 'end');
    // Nobody copied: without framing, no byte is overwritten.
    expect(Buffer.concat(received).equals(content)).toBe(true);
  });

  it.each([
    { kept: false, says: 'uses the memory of consumed pieces again' },
    { kept: true, says: 'overwrites no piece that is still in use' },
  ])('hands on whole frames alone, and $says', async ({ kept }) => {
    await using source = await startSource();
    const { socket, reader } = await connected(source.port);
    const FRAME = 30_000;
    reader.frame({
      split: (_bytes, from, to) => to - ((to - from) % FRAME),
      holds: () => (kept ? undefined : new Map()),
    });
    const received: Buffer[] = [];
    const memory = new Set<unknown>();
    socket.on('data', (chunk: Buffer) => {
      expect(chunk.length % FRAME).toBe(0);
      memory.add(chunk.buffer);
      received.push(kept ? chunk : Buffer.from(chunk));
    });
    await once(socket, 'end');
    expect(Buffer.concat(received).equals(content)).toBe(true);
    if (!kept) expect(memory.size).toBeLessThan(4);
  });

  it.each([
    ['at the first byte', (from: number) => from],
    ['before the first byte', (from: number) => from - 1],
  ])('hands on a frame that is larger than its memory: a frame ends %s', async (_, end) => {
    await using source = await startSource();
    const { socket, reader } = await connected(source.port);
    // Node says ENOBUFS when a read gets no room.
    reader.frame({ split: (_bytes, from) => end(from), holds: () => undefined });
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    await once(socket, 'end');
    const bytes = Buffer.concat(received);
    // The last bytes are no whole frame: nobody needs them.
    expect(content.length - bytes.length).toBeLessThan(256 * 1024);
    expect(content.subarray(0, bytes.length).equals(bytes)).toBe(true);
  });
});
