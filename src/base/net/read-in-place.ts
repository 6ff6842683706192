import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

// Private parts of Node's sockets: `onread` of net.connect does the same, but net.createServer has no such option. Each part
// is checked for each socket. If one is missing, Node reads as usual, and allocates 64 KiB for each read.

/** As much as Node reads at once, in bytes. */
const SHARED_BYTES = 64 * 1024;

/** One for all sockets of the process: the bytes of a read are copied before the next read. */
let shared: Buffer | undefined;

/** The members that `onread` sets. */
interface Members {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

let members: Members | undefined;

/**
 * Makes a socket that is piped into `target`, and into nothing else, read into memory that all such sockets share. `target`
 * copies a chunk before its `write()` returns, as long as no earlier chunk waits there. All other chunks are copied here.
 *
 * @returns whether the socket does so: this version of Node may have other insides
 */
export function readInPlace(socket: Socket, target: Writable): boolean {
  members ??= findMembers(socket);
  const handle = handleOf(socket);
  if (!members || !handle || !isUnused(socket, members)) return false;
  shared ??= Buffer.allocUnsafeSlow(SHARED_BYTES);
  const memory = shared;
  let joined = true;
  target.once('unpipe', () => {
    joined = false;
  });
  const received = (bytes: number) => {
    const chunk = memory.subarray(0, bytes);
    const copied = joined && target.writableLength === 0 && target.writableCorked === 0 && flows(socket);
    return socket.push(copied ? chunk : Buffer.from(chunk));
  };
  Object.assign(socket, { [members.buffer]: memory, [members.callback]: received });
  handle.useUserBuffer(memory);
  return true;
}

/** Whether the next chunk goes at once to the only listener. */
function flows(socket: Socket): boolean {
  return socket.readableFlowing === true && socket.readableLength === 0 && socket.listenerCount('data') === 1;
}

function handleOf(socket: Socket): { useUserBuffer(memory: Buffer): void } | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { useUserBuffer?: unknown } | null };
  return typeof handle?.useUserBuffer === 'function' ? (handle as { useUserBuffer(memory: Buffer): void }) : undefined;
}

function findMembers(socket: Socket): Members | undefined {
  const own = Object.getOwnPropertySymbols(socket);
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
    own.find(({ description }) => description === name),
  );
  return buffer && callback && generator ? { buffer, callback, generator } : undefined;
}

/** False for a socket with an `onread` of its own. */
function isUnused(socket: Socket, { buffer, callback, generator }: Members): boolean {
  const values = socket as unknown as Record<symbol, unknown>;
  return values[buffer] === null && values[callback] === null && values[generator] === null;
}
