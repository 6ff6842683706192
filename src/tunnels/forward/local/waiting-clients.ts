import type { Socket } from 'node:net';
import { Crowd, type Placed } from '../../../base/async/crowd.ts';
import { resetClient } from '../reset.ts';

/** Pause between two looks at the waiting clients, in milliseconds. */
const LOOK_MS = 100;

/** So much of a waiting client's data is read ahead to find the end behind it, in bytes. */
const READ_AHEAD_BYTES = 256 * 1024;

const NOTHING = Buffer.alloc(0);

/** A client that waits, unread. */
export interface WaitingClient extends Placed {
  readonly socket: Socket;
  /** Whether the connection can be reset: a Unix socket cannot. */
  readonly resets: boolean;
  /** Whether the client also leaves by closing its side: a half-close may belong to a complete request. */
  leavesByClosing(): boolean;
}

/**
 * Finds out which waiting clients have gone. Node reads one buffer ahead and then stops: behind unread data it notices
 * neither a reset nor an end. One timer serves all clients of a forward. The timer ends at the first look that finds no client:
 * most clients wait for less than a look, and a timer for each of them costs more than one look too many.
 */
export class WaitingClients {
  readonly #waiting = new Crowd<WaitingClient>();
  #timer: NodeJS.Timeout | undefined;

  /** Closes the client's socket once the client has gone. The returned function ends the watch. */
  watch(client: WaitingClient): () => void {
    this.#waiting.add(client);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return () => void this.#waiting.remove(client);
  }

  #look(): void {
    if (this.#waiting.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const client of this.#waiting) hasGone(client);
  }
}

/** Looks at one client now, and closes its socket if the client has gone. */
export function hasGone({ socket, resets, leavesByClosing }: WaitingClient): boolean {
  if (socket.destroyed) return true;
  if (resets && isReset(socket)) return true;
  if (!leavesByClosing()) return false;
  const closed = hasEnded(socket);
  if (closed) resetClient(socket);
  else readAhead(socket);
  return closed;
}

/**
 * Asks the kernel by a write of no bytes, which sends nothing: send(2) fails on a connection that the peer has reset,
 * whatever is still unread. The error also closes the socket.
 */
function isReset(socket: Socket): boolean {
  if (!socket.writable) return false;
  socket.write(NOTHING);
  return socket.errored !== null;
}

/** Whether the client's end of stream has arrived, perhaps behind unread data. Node has no public way to ask. */
function hasEnded(socket: Socket): boolean {
  const { _readableState: state } = socket as unknown as { readonly _readableState: { readonly ended: boolean } };
  return state.ended;
}

/** Puts the unread data back after Node has resumed reading, so one more buffer comes. The order stays. */
function readAhead(socket: Socket): void {
  const { readableLength, readableHighWaterMark } = socket;
  if (readableLength < readableHighWaterMark || readableLength >= READ_AHEAD_BYTES) return;
  const unread: Buffer | null = socket.read();
  if (unread !== null) socket.unshift(unread);
}
