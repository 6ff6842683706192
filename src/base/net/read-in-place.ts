import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { readInTurns } from './reading-turns.ts';
import { giveMemory, takeMemory } from './spare-memory.ts';

// Private parts of Node's sockets: `onread` of net.connect does the same, but net.createServer has no such option. Each part
// is checked for each socket. If one is missing, Node reads as usual, and allocates 64 KiB for each read.

/** As much as Node reads at once, in bytes. */
const SHARED_BYTES = 64 * 1024;

/** One for all sockets of the process: the bytes of a read are copied before the next read. */
let shared: Buffer | undefined;

interface Handle {
  useUserBuffer(memory: Buffer): void;
}

/** The members that `onread` sets. */
interface Members {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

let members: Members | undefined;

/**
 * Makes an accepted socket read into memory that all such sockets share, and copies each chunk: Node would allocate 64 KiB
 * for the first read of a request. Any reader may take the chunks. Call this before the first read.
 */
export function readShared(socket: Socket): void {
  members ??= findMembers(socket);
  const handle = handleOf(socket);
  if (members && handle && isUnused(socket, members)) use(socket, handle, members, copied);
}

/** Node calls this as a method of the socket. */
function copied(this: Socket, bytes: number): boolean {
  readInTurns(this, bytes);
  return this.push(Buffer.from(sharedMemory().subarray(0, bytes)));
}

/**
 * Makes a socket that is poured into `target`, and into nothing else, read into memory that all such sockets share. `target`
 * copies a chunk before its `write()` returns, as long as no earlier chunk waits there. All other chunks are copied here.
 * Call this right after `pour()`.
 *
 * @returns to be called before another reader takes the bytes; undefined when this version of Node has other insides
 */
export function readInPlace(socket: Socket, target: Writable): (() => void) | undefined {
  members ??= findMembers(socket);
  const handle = handleOf(socket);
  if (!members || !handle || !isUnused(socket, members)) return undefined;
  const memory = sharedMemory();
  const kept: Buffer[] = [];
  let alone = true;
  const otherReader = () => {
    alone = false;
    kept.length = 0;
  };
  socket.on('newListener', (event) => {
    if (event === 'data' || event === 'readable') otherReader();
  });
  const received = (bytes: number) => {
    readInTurns(socket, bytes);
    return push(bytes);
  };
  const push = (bytes: number) => {
    const chunk = memory.subarray(0, bytes);
    if (alone && target.writableLength === 0 && target.writableCorked === 0 && socket.readableLength === 0) {
      // Everything that waited before is copied now.
      while (kept.length > 0) giveMemory(kept.pop() as Buffer);
      if (socket.readableFlowing && target.writable && socket.listenerCount('data') === 1) {
        if (!target.write(chunk)) socket.pause();
        return true;
      }
    }
    const copy = takeMemory(bytes);
    if (alone) kept.push(copy);
    return socket.push(copy.subarray(0, chunk.copy(copy)));
  };
  use(socket, handle, members, received);
  return otherReader;
}

function sharedMemory(): Buffer {
  shared ??= Buffer.allocUnsafeSlow(SHARED_BYTES);
  return shared;
}

function use(
  socket: Socket,
  handle: Handle,
  { buffer, callback }: Members,
  received: (bytes: number) => boolean,
): void {
  const values = valuesOf(socket);
  const memory = sharedMemory();
  if (values[buffer] !== memory) handle.useUserBuffer(memory);
  values[buffer] = memory;
  values[callback] = received;
}

function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Partial<Handle> | null };
  return typeof handle?.useUserBuffer === 'function' ? (handle as Handle) : undefined;
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
  const values = valuesOf(socket);
  if (values[generator] !== null) return false;
  return values[callback] === copied || (values[buffer] === null && values[callback] === null);
}

function valuesOf(socket: Socket): Record<symbol, unknown> {
  return socket as unknown as Record<symbol, unknown>;
}
