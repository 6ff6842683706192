import type { Duplex } from 'node:stream';
import { Slabs } from './slabs.ts';

const SMALL_SLAB = 16 * 1024;
const LARGE_SLAB = 256 * 1024;
/** So many bytes leave at once, without waiting for the end of the turn. */
const ENOUGH = 64 * 1024;
/** A packet that the cipher allocated itself is copied up to this size, to leave together with others. */
const COPY_LIMIT = 4 * 1024;
/** After so many flushes in a row that a small slab had been enough for, the large one is released. */
const CALM_FLUSHES = 256;
/** Every so many flushes, one turn of the event loop is watched. */
const WATCH_EVERY = 16;

type Write = (chunk: Buffer) => boolean;

/**
 * Collects the packets of a session and writes them together: one system call for each packet is the largest cost of a
 * session with many connections. Packets wait for the end of the current callback. If several callbacks of one turn of the
 * event loop have sent packets lately, then packets wait for the end of the turn.
 */
export class Outlet {
  readonly #transport: Duplex;
  readonly #write: Write;
  #slab: Buffer = Buffer.allocUnsafeSlow(SMALL_SLAB);
  readonly #full = new Slabs(LARGE_SLAB);
  /** Bytes that the transport was given. */
  #written = 0;
  /** The packets between these offsets wait. */
  #from = 0;
  #to = 0;
  /** Up to here, the slab is given to packets. */
  #given = 0;
  #scheduled = false;
  #together = false;
  #flushes = 0;
  #calm = 0;
  #watched: { flushes: number } | undefined;
  #sent = 0;
  readonly #onTurn = () => {
    const { flushes } = this.#watched ?? { flushes: 0 };
    this.#watched = undefined;
    this.#together = flushes > 1;
  };
  readonly #onScheduled = () => this.#flushScheduled();

  /** From now on, all that is written to the transport goes through the outlet. */
  constructor(transport: Duplex) {
    this.#transport = transport;
    const { write, end } = transport as unknown as { write(chunk: Buffer): boolean; end(...args: unknown[]): void };
    this.#write = (chunk) => {
      this.#written += chunk.length;
      return write.call(transport, chunk);
    };
    const define = (name: string, value: unknown) =>
      Object.defineProperty(transport, name, { configurable: true, writable: true, value });
    define('write', (chunk: Buffer) => this.#accept(chunk));
    // The last packet, SSH_MSG_DISCONNECT, must leave before the end.
    define('end', (...args: unknown[]) => {
      this.flush();
      return end.apply(transport, args);
    });
  }

  /** Grows with each packet. */
  get sent(): number {
    return this.#sent;
  }

  /** Room for one packet, which must be written next or never. */
  room(bytes: number): Buffer {
    if (this.#given + bytes > this.#slab.length) this.#renew(bytes);
    const from = this.#given;
    this.#given = from + bytes;
    return this.#slab.subarray(from, this.#given);
  }

  flush(): void {
    this.#drain();
    if (this.#transport.writableLength > 0) return;
    this.#from = this.#to = this.#given = 0;
    if (this.#calm < CALM_FLUSHES) return;
    this.#calm = 0;
    this.#full.clear();
    this.#slab = Buffer.allocUnsafeSlow(SMALL_SLAB);
  }

  #accept(packet: Buffer): boolean {
    this.#sent++;
    if (packet.buffer === this.#slab.buffer) {
      this.#add(packet.byteOffset - this.#slab.byteOffset, packet.length);
    } else if (packet.length <= COPY_LIMIT) {
      const copy = this.room(packet.length);
      copy.set(packet);
      this.#add(this.#given - packet.length, packet.length);
    } else {
      this.#drain();
      return this.#write(packet);
    }
    if (this.#to - this.#from >= ENOUGH) this.#drain();
    else if (!this.#scheduled) this.#schedule();
    return this.#transport.writableLength < this.#transport.writableHighWaterMark;
  }

  #add(at: number, bytes: number): void {
    // A packet before this one was allocated, but not sent.
    if (at !== this.#to) this.#drain();
    if (this.#from === this.#to) this.#from = at;
    this.#to = at + bytes;
  }

  #drain(): void {
    if (this.#to === this.#from) return;
    this.#calm = this.#slab.length > SMALL_SLAB && this.#to <= SMALL_SLAB ? this.#calm + 1 : 0;
    const packets = this.#slab.subarray(this.#from, this.#to);
    this.#from = this.#to;
    this.#write(packets);
    // The kernel has taken all packets, and no other room is in use.
    if (this.#transport.writableLength === 0 && this.#given === this.#to) this.#from = this.#to = this.#given = 0;
  }

  #schedule(): void {
    this.#scheduled = true;
    if (this.#together) setImmediate(this.#onScheduled);
    else process.nextTick(this.#onScheduled);
  }

  #flushScheduled(): void {
    this.#scheduled = false;
    this.flush();
    if (this.#watched) this.#watched.flushes++;
    this.#flushes++;
    if (this.#flushes % WATCH_EVERY !== 0) return;
    if (this.#watched) return;
    // One callback at a time for one turn: only so can the number of callbacks in a turn be seen.
    this.#together = false;
    this.#watched = { flushes: 0 };
    setImmediate(this.#onTurn);
  }

  #renew(bytes: number): void {
    this.#drain();
    if (this.#given + bytes <= this.#slab.length) return;
    if (this.#slab.length === LARGE_SLAB) {
      const upTo = this.#written;
      this.#full.give(this.#slab, () => this.#written - this.#transport.writableLength >= upTo);
    }
    this.#slab = this.#full.take();
    this.#from = this.#to = this.#given = 0;
  }
}
