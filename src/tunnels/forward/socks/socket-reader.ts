import type { Socket } from 'node:net';
import { TurnedAway } from '../../../base/errors.ts';
import type { Parsed } from './message.ts';

/**
 * Reads messages from a paused socket, chunk by chunk, and gives back the bytes after the last one. A reader that fails
 * does not give its bytes back: the connection ends then.
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

  /** A client may send on without waiting for its answer: those bytes are the target's. */
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
          reject(new TurnedAway('connection_reset', 'a client ended before its SOCKS5 request was complete')),
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
