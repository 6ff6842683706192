import type { Socket } from 'node:net';

// Private parts of Node's sockets, checked for each socket. A socket without them reads as long as it can.

/** What a socket reads through. `reading`: what Node has told it. */
interface Handle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** So long the sockets of this process read in one turn of the event loop, in milliseconds. */
const MOST_MS = 4;
/** A smaller read takes all that has arrived, and is the last one of its socket in the turn; in bytes. */
const LARGE_BYTES = 16 * 1024;

/** When the sockets have read for long enough in this turn, as of performance.now(); undefined: nobody has read much. */
let enoughAt: number | undefined;
const resting: Handle[] = [];

/**
 * Call this with each read of a socket that may be followed by another one. Node reads a socket up to 32 times in one turn
 * of the event loop: 8 MB from each of several sockets would keep all others, and the answers over HTTP, waiting. So a
 * socket rests until the next turn when the sockets together have read for a few milliseconds.
 */
export function readInTurns(socket: Socket, bytes: number): void {
  if (bytes < LARGE_BYTES) return;
  const now = performance.now();
  if (enoughAt === undefined) {
    enoughAt = now + MOST_MS;
    setImmediate(nextTurn);
  } else if (now >= enoughAt) {
    const handle = handleOf(socket);
    // Not by way of Node, which would read again at once: the stream wants more.
    if (handle?.reading && handle.readStop() === 0) resting.push(handle);
  }
}

function nextTurn(): void {
  enoughAt = undefined;
  // A socket that its reader has stopped meanwhile, or that is closed, stays as it is.
  for (const handle of resting.splice(0)) if (handle.reading) handle.readStart();
}

function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Partial<Handle> | null };
  const known =
    typeof handle?.reading === 'boolean' &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function';
  return known ? (handle as Handle) : undefined;
}
