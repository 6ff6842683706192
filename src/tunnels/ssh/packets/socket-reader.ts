import type { OnReadOpts, Socket } from 'node:net';

/** Room for the first reads, in bytes: an idle session must stay small. */
const SMALL_SLAB = 16 * 1024;
/** Room while much data arrives: one read takes up to so much from the kernel. */
const LARGE_SLAB = 256 * 1024;
/** Less room than this part of the slab is not worth a read. */
const LEAST_PART = 4;

/** How the received bytes are handed on. */
export interface Framing {
  /** Where the last whole packet ends. */
  split(bytes: Buffer, from: number, to: number): number;
  /** Whether nobody refers to the bytes of the last piece any more. */
  consumed(): boolean;
}

const readers = new WeakMap<Socket, SocketReader>();

/** The reader of a socket that {@link SocketReader} was made for. */
export function readerOf(socket: unknown): SocketReader | undefined {
  return readers.get(socket as Socket);
}

/**
 * Reads a socket into slabs of its own (net.connect, `onread`): Node would allocate 64 KiB for each read. Without framing,
 * each read is handed on as it comes. With framing, whole packets are handed on, so that nobody needs to join pieces; the
 * slab is used again as soon as its bytes are consumed.
 */
export class SocketReader {
  #socket: Socket | undefined;
  #framing: Framing | undefined;
  #slab = Buffer.allocUnsafeSlow(SMALL_SLAB);
  /** The bytes between these offsets are received, but not handed on. */
  #from = 0;
  #to = 0;
  /** Somebody may still refer to the bytes before {@link #from}. */
  #kept = false;

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
    const full = this.#to + bytes === this.#slab.length;
    this.#to += bytes;
    const end = this.#framing?.split(this.#slab, this.#from, this.#to) ?? this.#to;
    let more = true;
    if (end > this.#from) {
      const piece = this.#slab.subarray(this.#from, end);
      this.#from = end;
      more = this.#socket?.push(piece) ?? true;
      if (!this.#kept) this.#kept = this.#framing === undefined || !this.#framing.consumed();
    }
    this.#makeRoom(full);
    return more;
  }

  #makeRoom(full: boolean): void {
    if (this.#from === this.#to && !this.#kept) this.#from = this.#to = 0;
    const size = full ? LARGE_SLAB : this.#slab.length;
    const room = this.#slab.length - this.#to;
    if (size === this.#slab.length && room >= size / LEAST_PART) return;
    // The start of a packet moves to the start of the room for the rest.
    const slab = this.#kept || size > this.#slab.length ? Buffer.allocUnsafeSlow(size) : this.#slab;
    this.#slab.copy(slab, 0, this.#from, this.#to);
    this.#slab = slab;
    this.#to -= this.#from;
    this.#from = 0;
    this.#kept = false;
  }
}
