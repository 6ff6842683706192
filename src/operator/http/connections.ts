import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Tracks the connections that answer a request, so that a stop closes all others at once. Idle clients must not delay
 * a stop.
 */
export class Connections {
  readonly #requests = new Map<Socket, number>();
  #closing = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      if (this.#closing) {
        socket.destroy();
        return;
      }
      this.#requests.set(socket, 0);
      socket.once('close', () => this.#requests.delete(socket));
    });
    server.on('request', ({ socket }, response) => {
      this.#answering(socket, 1);
      response.once('close', () => this.#answering(socket, -1));
    });
  }

  get count(): number {
    return this.#requests.size;
  }

  #answering(socket: Socket, change: 1 | -1): void {
    const requests = this.#requests.get(socket);
    if (requests === undefined) return;
    this.#requests.set(socket, requests + change);
    if (this.#closing && requests + change === 0) socket.destroySoon();
  }

  /** Closes idle connections now and busy connections after their answer. */
  close(): void {
    this.#closing = true;
    for (const [socket, requests] of this.#requests) if (requests === 0) socket.destroy();
  }

  destroy(): void {
    for (const socket of this.#requests.keys()) socket.destroy();
  }
}
