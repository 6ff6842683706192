import type { Client } from 'ssh2';
import { requestKeepalive } from './ssh2-insides.ts';

/** Nothing listens on port 0, so the server refuses this channel. */
const NOWHERE = { host: '127.0.0.1', port: 0 } as const;
/** A server that leaves so many requests in a row without an answer gets no more of them. */
const PATIENCE = 3;

/**
 * Asks a server for a sign of life with `keepalive@openssh.com`. Some servers answer no global request, such as Go programs
 * that discard requests. A server that has never answered one is also asked for a channel to nowhere: a refusal is an
 * answer.
 */
export class SignOfLife {
  readonly #client: Client;
  #answers = false;
  #unanswered = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Whether the server answers global requests. */
  get answers(): boolean {
    return this.#answers;
  }

  /** Calls back at each answer. Throws `internal` for another version of ssh2. */
  ask(onAnswer: () => void): void {
    const silent = !this.#answers && this.#unanswered > 0;
    if (this.#answers || this.#unanswered < PATIENCE)
      requestKeepalive(this.#client, () => {
        this.#answers = true;
        onAnswer();
      });
    this.#unanswered++;
    if (silent) this.#openNowhere(onAnswer);
  }

  #openNowhere(onAnswer: () => void): void {
    const { host, port } = NOWHERE;
    try {
      this.#client.forwardOut(host, port, host, port, (error, stream) => {
        // ssh2 itself answers when the connection ends, without a reason.
        if (!error) stream.on('error', () => {}).close();
        if (!error || 'reason' in error) onAnswer();
      });
    } catch {
      // The connection has ended, and its close is reported elsewhere.
    }
  }
}
