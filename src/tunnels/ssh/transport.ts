import { Duplex } from 'node:stream';
import type { Channel } from '../channel/channel-source.ts';
import { BACKLOG_BYTES } from './backlog.ts';

/** The transport of an SSH session: a TCP socket, or a channel of another session. Counts like `net.Socket`. */
export interface Transport extends Duplex {
  readonly bytesRead: number;
  /** Includes bytes that still wait to be written. */
  readonly bytesWritten: number;
}

type Written = (error?: Error | null) => void;

/**
 * A channel as the transport of another session (ssh_config(5), ProxyJump). ssh2's channel is not usable directly: its
 * `destroy()` waits for the peer, and it does not count bytes.
 */
export class ChannelTransport extends Duplex implements Transport {
  readonly #channel: Channel;
  #received = 0;
  #handedOver = 0;

  /** @param lost error for the upper session when the lower session ends */
  constructor(channel: Channel, lost: () => Error) {
    super({ writableHighWaterMark: BACKLOG_BYTES });
    this.#channel = channel;
    const { stream } = channel;
    stream.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      // After the end, the rest is read and dropped: an unread channel never closes.
      if (!this.push(chunk) && !this.destroyed) stream.pause();
    });
    stream.once('end', () => this.push(null));
    stream.once('close', () => this.#end());
    // Drops buffered data too: the upper session could only wait for data that never comes.
    channel.onLost(() => this.destroy(lost()));
  }

  get bytesRead(): number {
    return this.#received;
  }

  get bytesWritten(): number {
    return this.#handedOver + this.writableLength;
  }

  override _read(): void {
    this.#channel.stream.resume();
  }

  /**
   * All bytes that the session writes before the event loop goes on become one packet of the session below. Without its
   * native module ssh2 writes each packet in three pieces, and each jump host on the way would make three of each.
   */
  override write(chunk: unknown, callback?: Written): boolean;
  override write(chunk: unknown, encoding: BufferEncoding, callback?: Written): boolean;
  override write(...args: readonly unknown[]): boolean {
    if (this.writableCorked === 0) {
      this.cork();
      process.nextTick(() => this.uncork());
    }
    return Reflect.apply(super.write, this, args);
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: Written): void {
    this.#handOver(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Written): void {
    this.#handOver(chunk, done);
  }

  #handOver(chunk: Buffer, done: Written): void {
    // The session uses the memory of the chunk again when this write is done: `write()` may return before.
    this.#channel.stream.write(chunk, (error) => {
      // A write that fails is followed by the close of the channel.
      if (error) return;
      this.#handedOver += chunk.length;
      done();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#channel.close();
    done(error);
  }

  /** The channel accepts no more data; received data is still read. */
  #end(): void {
    if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }
}
