import type { Socket } from 'node:net';
import { TurnedAway } from '../../../base/errors.ts';
import type { Parsed } from './message.ts';

/**
 * Reads messages from a paused socket, chunk by chunk, and returns the bytes after the last one to the socket. A failed
 * reader returns no bytes: the connection ends then.
 */
export class SocketReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #bytes = Buffer.alloc(0);

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  /** The next message; undefined when the bytes cannot become one. Rejects when the client ends first, or on abort. */
  async read<Message>(parse: (bytes: Buffer) => Parsed<Message>): Promise<Message | undefined> {
    for (;;) {
      const parsed = parse(this.#bytes);
      if (parsed.kind === 'malformed') return undefined;
      if (parsed.kind === 'message') {
        this.#bytes = this.#bytes.subarray(parsed.length);
        return parsed.message;
      }
      this.#bytes = Buffer.concat([this.#bytes, await this.#nextChunk()]);
    }
  }

  /** Returns unused bytes to the socket: a client may send bytes for the target before its answer. */
  release(): void {
    this.#socket.pause();
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes);
    this.#bytes = Buffer.alloc(0);
  }

  #nextChunk(): Promise<Buffer> {
    const socket = this.#socket;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        socket.off('readable', look).off('end', onEnd);
        signal.removeEventListener('abort', onAbort);
        finish();
      };
      const look = () => {
        const chunk: Buffer | null = socket.read();
        if (chunk !== null) settle(() => resolve(chunk));
      };
      const onEnd = () =>
        settle(() =>
          reject(new TurnedAway('connection_reset', 'a client closed before the end of its SOCKS5 request')),
        );
      const onAbort = () => settle(() => reject(signal.reason));
      socket.on('readable', look).once('end', onEnd);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else if (socket.readableEnded) onEnd();
      // Bytes that have already arrived may not be announced again.
      else look();
    });
  }
}
