import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { pour } from '../../../base/net/pour.ts';
import { giveMemory, takeMemory } from '../../../base/net/spare-memory.ts';
import { LEAST_PACKET, MOST_WINDOW } from '../guard/limits.ts';
import type { Protocol } from './insides.ts';
import { Trace } from './trace.ts';

type Written = (error?: Error | null) => void;

/** Bytes that the peer may send before we allow more (RFC 4254 section 5.2), at first. OpenSSH uses the same. */
export const FIRST_WINDOW = 2 * 1024 * 1024;
/** The window of a long line with a reader that keeps up. */
const LARGEST_WINDOW = 16 * 1024 * 1024;
/** A window that is used up within so many round trips limits the rate. */
const WINDOW_ROUND_TRIPS = 2;
/**
 * A shorter round trip needs no larger window, in milliseconds: more data on the way only leaves the caches of the
 * processor, which doubled the CPU time of a stream on one machine.
 */
const LONG_LINE_MS = 5;
/** Our limit of one packet's data; OpenSSH uses the same. */
export const MOST_DATA = 32 * 1024;
/** A stream that holds so much unread data no longer allows its peer more; in bytes. */
const MOST_UNREAD = 64 * 1024;
/** A stream that holds so much unsent data slows its writer; in bytes. More than one read of a socket. */
const MOST_UNSENT = 128 * 1024;

/**
 * So long a window of a few bytes waits for more, while much data waits, in milliseconds. A server that allows one byte at
 * a time would otherwise get a packet for each.
 */
const SLIVER_MS = 40;

/** What a hostile server does. */
const BEYOND = 'the server sent more data than the window of the channel allows';

/** The answer of the server to an open. */
export interface Confirmation {
  readonly sender: number;
  readonly window: number;
  readonly packetSize: number;
}

export interface ForwardStreamDependencies {
  readonly protocol: Protocol;
  /** Whether the transport of the session is full; if so, calls back when it is no longer full. */
  full(relieved: () => void): boolean;
  /** The shortest round trip of the session, in milliseconds: under load, the others include queues. */
  shortestRttMs(): number;
}

/**
 * A channel for forwarded data (RFC 4254 section 5), instead of ssh2's Channel: one stream with few listeners, windows
 * that fit the line, and backpressure of the whole session. Like ssh2's, the stream has half-close both ways, and emits
 * 'close' once, when the peer has closed the channel and the received data is read.
 */
export class ForwardStream extends Duplex {
  readonly #deps: ForwardStreamDependencies;
  readonly #onClosed: () => void;
  readonly #peer: number;
  readonly #packetBytes: number;
  /** Bytes that the peer still allows us. */
  #allowance: number;
  /** Bytes that we still allow the peer. */
  #allowed = FIRST_WINDOW;
  #window = FIRST_WINDOW;
  #adjustedAt = performance.now();
  /** The reader does not keep up. */
  #unread = false;
  #waiting: { readonly rest: Buffer; readonly memory: Buffer; readonly done: Written } | undefined;
  #sliver: NodeJS.Timeout | undefined;
  #sending: 'open' | 'ended' | 'closed' | 'lost' = 'open';
  #receiving: 'open' | 'ended' | 'closed' = 'open';
  readonly #trace: Trace;
  /** The socket that takes the received bytes. */
  #sink: Socket | undefined;
  #stopPouring: (() => void) | undefined;

  /** @param onClosed called once, when the peer has closed the channel */
  constructor({ sender, window, packetSize }: Confirmation, deps: ForwardStreamDependencies, onClosed: () => void) {
    super({
      readableHighWaterMark: MOST_UNREAD,
      writableHighWaterMark: MOST_UNSENT,
      emitClose: false,
      autoDestroy: false,
    });
    this.#deps = deps;
    this.#onClosed = onClosed;
    this.#peer = sender;
    this.#allowance = window;
    this.#packetBytes = Math.min(packetSize, MOST_DATA);
    this.#trace = new Trace(this);
  }

  /** Whether the peer's SSH_MSG_CHANNEL_EOF has arrived. */
  get peerEnded(): boolean {
    return this.#receiving !== 'open';
  }

  /** Closes the channel in any state, once. */
  close(): void {
    if (this.#sending !== 'open' && this.#sending !== 'ended') return;
    this.#sending = 'closed';
    clearTimeout(this.#sliver);
    this.#deps.protocol.channelClose(this.#peer);
  }

  /** The peer's 'close' comes later, as for every channel. */
  override destroy(): this {
    this.end();
    this.close();
    return this;
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    return this.#trace.piping(destination, () => {
      if (!(destination instanceof Socket) || this.#stopPouring) return super.pipe(destination, options);
      this.#sink = destination;
      this.#stopPouring = pour(this, destination, () => options?.end !== false && destination.end());
      return destination;
    });
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    this.#trace.unpiping();
    if (destination === undefined || destination === this.#sink) {
      this.#stopPouring?.();
      this.#sink = undefined;
    }
    return super.unpipe(destination);
  }

  /** Where the received bytes are. */
  get trace(): Trace {
    return this.#trace;
  }

  received(data: Buffer): void {
    if (this.#receiving !== 'open') return;
    this.#allowed -= data.length;
    if (this.#allowed < 0) throw new Error(BEYOND);
    this.#trace.pushed += data.length;
    if (!this.#poured(data) && !this.push(data)) this.#unread = true;
    else this.#allowMore();
  }

  /** Past the buffer of this stream, if the buffer is empty and the bytes go to one socket. */
  #poured(data: Buffer): boolean {
    const sink = this.#sink;
    if (!sink?.writable || !this.readableFlowing || this.readableLength > 0 || !this.#trace.traceable) return false;
    if (!sink.write(data)) this.pause();
    return true;
  }

  /** Data that we do not want, but that used the window. */
  discarded(bytes: number): void {
    this.#allowed -= bytes;
    if (this.#allowed < 0) throw new Error(BEYOND);
    this.#allowMore();
  }

  allowed(bytes: number): void {
    this.#allowance += bytes;
    if (this.#allowance > MOST_WINDOW) throw new Error('the server made the window of the channel too large');
    const waiting = this.#waiting?.rest.length ?? 0;
    if (this.#allowance >= LEAST_PACKET || this.#allowance >= waiting) this.#sendWaiting();
    else
      this.#sliver ??= setTimeout(() => {
        this.#sliver = undefined;
        this.#sendWaiting();
      }, SLIVER_MS);
  }

  peerEnds(): void {
    if (this.#receiving !== 'open') return;
    this.#receiving = 'ended';
    this.push(null);
  }

  /** The peer has closed the channel. */
  peerClosed(): void {
    if (this.#receiving === 'closed') return;
    this.#receiving = 'closed';
    this.#onClosed();
    this.push(null);
    this.close();
    if (!this.writableEnded) this.end();
    this.#emitClose();
  }

  /** The session is gone. */
  lost(): void {
    this.#sending = 'lost';
    clearTimeout(this.#sliver);
    if (this.#receiving === 'closed') return;
    this.#receiving = 'closed';
    this.push(null);
    this.#sendWaiting();
    this.#emitClose();
  }

  /** The server asks something about this channel. */
  refuse(): void {
    if (this.#sending !== 'lost') this.#deps.protocol.channelFailure(this.#peer);
  }

  override _read(): void {
    if (!this.#unread) return;
    this.#unread = false;
    this.#allowMore();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Written): void {
    this.#send(chunk, done);
  }

  override _final(done: Written): void {
    if (this.#sending === 'open') {
      this.#sending = 'ended';
      this.#deps.protocol.channelEOF(this.#peer);
    }
    done();
  }

  /** Does not keep the chunk: its writer may use the memory again at once. */
  #send(chunk: Buffer, done: Written): void {
    if (this.#sending === 'lost') done();
    // A closed channel takes no more: its writer waits for 'close'.
    if (this.#sending !== 'open') return;
    const sent = this.#sendAllowed(chunk);
    if (sent === chunk.length) this.#sent(done);
    else {
      const memory = takeMemory(chunk.length - sent);
      this.#waiting = { rest: memory.subarray(0, chunk.copy(memory, 0, sent)), memory, done };
    }
  }

  #sendWaiting(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    if (this.#sending === 'lost') waiting.done();
    if (this.#sending !== 'open') return;
    const { rest, memory, done } = waiting;
    const sent = this.#sendAllowed(rest);
    if (sent < rest.length) this.#waiting = { rest: rest.subarray(sent), memory, done };
    else {
      giveMemory(memory);
      this.#sent(done);
    }
  }

  /** Sends as much as the peer allows. Returns the number of bytes. */
  #sendAllowed(chunk: Buffer): number {
    const { protocol } = this.#deps;
    let sent = 0;
    while (sent < chunk.length && this.#allowance > 0) {
      const bytes = Math.min(chunk.length - sent, this.#packetBytes, this.#allowance);
      protocol.channelData(this.#peer, bytes === chunk.length ? chunk : chunk.subarray(sent, sent + bytes));
      this.#allowance -= bytes;
      sent += bytes;
    }
    return sent;
  }

  #sent(done: Written): void {
    if (!this.#deps.full(done)) done();
  }

  /** SSH_MSG_CHANNEL_WINDOW_ADJUST when half of the window is used. A reader that keeps up gets more on a long line. */
  #allowMore(): void {
    if (this.#allowed > this.#window / 2 || this.#receiving !== 'open') return;
    if (this.#sending === 'closed' || this.#sending === 'lost') return;
    const now = performance.now();
    const rttMs = this.#deps.shortestRttMs();
    const limited = rttMs >= LONG_LINE_MS && now - this.#adjustedAt < WINDOW_ROUND_TRIPS * rttMs;
    if (limited && this.#window < LARGEST_WINDOW) this.#window *= 2;
    this.#adjustedAt = now;
    const more = this.#window - this.#allowed;
    this.#allowed += more;
    this.#deps.protocol.channelWindowAdjust(this.#peer, more);
  }

  #emitClose(): void {
    const close = () => this.emit('close');
    if (this.readableEnded) close();
    else this.once('end', close);
  }
}
