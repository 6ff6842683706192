import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { mostDispensable, type Seat } from './dispensable.ts';

export interface ConnectionLimits {
  /** Above this number, a new connection takes the place of a dispensable one. */
  readonly most: number;
  /** Further connections while none is dispensable, so that a short request is still answered. */
  readonly reserve: number;
  /** The most answered but unread bytes of all clients together. */
  readonly mostUnreadBytes: number;
  /** The most requests of one connection at the same time (HTTP pipelining). */
  readonly mostPipelined: number;
}

/** One connection: its requests without a complete answer, oldest first. */
interface Held {
  readonly answers: Set<ServerResponse>;
  /** When the connection became idle, or its oldest answer began (performance.now(), in milliseconds). */
  since: number;
}

/** One of the answers has the socket and counts its bytes; the answers to pipelined requests keep theirs until then. */
function unreadBytes(held: Held | undefined): number {
  let bytes = 0;
  for (const answer of held?.answers ?? []) bytes += answer.writableLength;
  return bytes;
}

/**
 * Keeps room for short requests. Nobody can hold the endpoint with idle connections, half-sent requests or unread
 * answers: above the limit, these make room, the oldest first. A stop closes idle connections at once.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  /** Idle connections in the order in which they became idle. */
  readonly #held = new Map<Socket, Held>();
  #closing = false;

  constructor(server: Server, limits: ConnectionLimits) {
    this.#limits = limits;
    server.on('connection', (socket: Socket) => {
      if (this.#closing || !this.#makeRoom()) {
        socket.destroy();
        return;
      }
      this.#held.set(socket, { answers: new Set(), since: performance.now() });
      socket.once('close', () => this.#held.delete(socket));
    });
    server.on('request', ({ socket }, response) => {
      this.#begin(socket, response);
      response.once('close', () => this.#end(socket, response));
    });
  }

  #begin(socket: Socket, response: ServerResponse): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    if (held.answers.size === 0) held.since = performance.now();
    held.answers.add(response);
    // Hundreds of requests in one packet would keep the event loop from all other clients.
    if (held.answers.size > this.#limits.mostPipelined) this.#drop(socket);
    this.#boundUnread();
  }

  #end(socket: Socket, response: ServerResponse): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    held.answers.delete(response);
    held.since = performance.now();
    if (held.answers.size > 0) return;
    if (this.#closing) socket.destroySoon();
    // Now the youngest of the idle ones.
    this.#held.delete(socket);
    this.#held.set(socket, held);
  }

  /** Whether there is room for one more connection, perhaps after another one made room. */
  #makeRoom(): boolean {
    const { most, reserve } = this.#limits;
    if (this.#held.size < most) return true;
    const given = this.#dispensable();
    if (given !== undefined) {
      this.#drop(given);
      return true;
    }
    return this.#held.size < most + reserve;
  }

  /** Drops unread answers, the oldest first, until the clients together hold little memory. */
  #boundUnread(): void {
    let unread = [...this.#held.values()].reduce((sum, held) => sum + unreadBytes(held), 0);
    while (unread > this.#limits.mostUnreadBytes) {
      const given = this.#dispensable((seat) => seat.unread);
      if (given === undefined) return;
      unread -= unreadBytes(this.#held.get(given));
      this.#drop(given);
    }
  }

  #dispensable(which: (seat: Seat) => boolean = () => true): Socket | undefined {
    const seats = [...this.#held].map(([socket, { answers, since }]) => ({
      socket,
      idle: answers.size === 0,
      unread: answers.size > 0 && [...answers].every((answer) => answer.writableEnded),
      since,
    }));
    return mostDispensable(seats.filter(which), performance.now())?.socket;
  }

  #drop(socket: Socket): void {
    this.#held.delete(socket);
    socket.destroy();
  }

  /** Closes idle connections now and busy connections after their answer. */
  close(): void {
    this.#closing = true;
    for (const [socket, { answers }] of this.#held) if (answers.size === 0) socket.destroy();
  }

  destroy(): void {
    for (const socket of this.#held.keys()) socket.destroy();
  }
}
