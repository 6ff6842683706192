import type { Transport } from './transport.ts';

/** Destroys a transport some time after its end was decided: a peer may never close its side. */
export class Farewell {
  readonly #socket: Transport;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(socket: Transport) {
    this.#socket = socket;
    socket.once('close', () => clearTimeout(this.#timer));
  }

  /** Destroys the transport after so many milliseconds. A later call can only shorten the wait. */
  after(ms: number): void {
    const at = performance.now() + ms;
    if (at >= this.#at || this.#socket.destroyed) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => this.#socket.destroy(), ms);
  }
}
