import type { OnReadOpts, Socket } from 'node:net';
import { readInTurns } from '../../../base/net/reading-turns.ts';
import { Slabs } from './slabs.ts';
import type { Holder } from './trace.ts';

/** Room for the first reads, in bytes: an idle session must stay small. */
const SMALL_SLAB = 16 * 1024;
/** Room while much data arrives: one read takes up to so much from the kernel. */
const LARGE_SLAB = 256 * 1024;
/** Less room than this part of the slab is not worth a read. */
const LEAST_PART = 4;
/** After so many reads in a row that a small slab had been enough for, the large ones are released. */
const CALM_READS = 256;

/** Those who refer to bytes of a piece, each up to a number of its own bytes. */
export type Holds = ReadonlyMap<Holder, number>;

/** How the received bytes are handed on. */
export interface Framing {
  /** Where the last whole packet ends. */
  split(bytes: Buffer, from: number, to: number): number;
  /** Who refers to the bytes of the last piece; undefined: anybody may, for ever. */
  holds(): Holds | undefined;
}

const readers = new WeakMap<Socket, SocketReader>();

/** The reader of a socket that {@link SocketReader} was made for. */
export function readerOf(socket: unknown): SocketReader | undefined {
  return readers.get(socket as Socket);
}

/**
 * Reads a socket into slabs of its own (net.connect, `onread`): Node would allocate 64 KiB for each read. Without framing,
 * each read is handed on as it comes. With framing, whole packets are handed on, so that nobody needs to join pieces; a slab
 * is used again as soon as nobody refers to its bytes.
 */
export class SocketReader {
  #socket: Socket | undefined;
  #framing: Framing | undefined;
  #slab: Buffer = Buffer.allocUnsafeSlow(SMALL_SLAB);
  /** The bytes between these offsets are received, but not handed on. */
  #from = 0;
  #to = 0;
  /** Who refers to the bytes before {@link #from}; undefined: anybody may. */
  #holds: Map<Holder, number> | undefined = new Map();
  readonly #full = new Slabs(LARGE_SLAB);
  #calm = 0;

  /** For `net.connect`. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#slab.subarray(this.#to),
    callback: (bytes) => this.#received(bytes),
  };

  /** Call this before the event loop reads the socket. */
  bind(socket: Socket): void {
    this.#socket = socket;
    readers.set(socket, this);
  }

  frame(framing: Framing): void {
    this.#framing = framing;
  }

  /** False stops reading until the stream of the socket is read again. */
  #received(bytes: number): boolean {
    if (this.#socket) readInTurns(this.#socket, bytes);
    const full = this.#to + bytes === this.#slab.length;
    this.#to += bytes;
    this.#calm = bytes <= SMALL_SLAB / LEAST_PART ? this.#calm + 1 : 0;
    let end = this.#framing?.split(this.#slab, this.#from, this.#to) ?? this.#to;
    // More does not fit into any slab, and Node ends a socket whose next read has no room (ENOBUFS).
    if (end <= this.#from && this.#to - this.#from === LARGE_SLAB) end = this.#to;
    let more = true;
    if (end > this.#from) {
      const piece = this.#slab.subarray(this.#from, end);
      this.#from = end;
      more = this.#socket?.push(piece) ?? true;
      this.#hold(this.#framing?.holds());
    }
    this.#makeRoom(full);
    return more;
  }

  #hold(holds: Holds | undefined): void {
    if (holds === undefined) this.#holds = undefined;
    else if (this.#holds) for (const [holder, upTo] of holds) this.#holds.set(holder, upTo);
  }

  #makeRoom(full: boolean): void {
    const large = this.#slab.length === LARGE_SLAB;
    if (large && this.#calm >= CALM_READS && this.#from === this.#to) {
      this.#full.clear();
      this.#use(Buffer.allocUnsafeSlow(SMALL_SLAB));
      return;
    }
    const free = isFree(this.#holds);
    if (free && this.#from === this.#to) this.#restart();
    const grows = full && !large;
    if (!grows && this.#slab.length - this.#to >= this.#slab.length / LEAST_PART) return;
    if (free && !grows) {
      this.#use(this.#slab);
      return;
    }
    const holds = this.#holds;
    const slab = grows || large ? this.#full.take() : Buffer.allocUnsafeSlow(SMALL_SLAB);
    // The garbage collector gets a slab that anybody may refer to.
    if (large && holds) this.#full.give(this.#slab, () => isFree(holds));
    this.#use(slab);
  }

  /** The start of a packet moves to the start of the room for the rest. */
  #use(slab: Buffer): void {
    this.#slab.copy(slab, 0, this.#from, this.#to);
    this.#slab = slab;
    const waiting = this.#to - this.#from;
    this.#restart();
    this.#to = waiting;
  }

  #restart(): void {
    this.#from = this.#to = 0;
    if (this.#holds?.size !== 0) this.#holds = new Map();
  }
}

function isFree(holds: Holds | undefined): boolean {
  if (holds === undefined) return false;
  for (const [holder, upTo] of holds) if (holder.released < upTo) return false;
  return true;
}
