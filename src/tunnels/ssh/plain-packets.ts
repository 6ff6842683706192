import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { WireError } from './wire.ts';

/** RFC 4253 section 6.1 requires at least 35000; a host key with its certificate is far smaller. */
const MAX_PACKET = 64 * 1024;
/** Limit of all lines before the first packet: an identification line has 255 characters, but others may precede it. */
const MAX_GREETING = 8 * 1024;
const BLOCK = 8;
const MIN_PADDING = 4;

/** One packet in the format before the key exchange (RFC 4253 section 6). */
export function plainPacket(payload: Buffer): Buffer {
  const unpadded = 5 + payload.length;
  const padding = BLOCK - (unpadded % BLOCK) + (BLOCK - (unpadded % BLOCK) < MIN_PADDING ? BLOCK : 0);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(1 + payload.length + padding);
  header.writeUInt8(padding, 4);
  return Buffer.concat([header, payload, randomBytes(padding)]);
}

/** Reads a server's packets before the key exchange. Rejects with WireError for a bad format, or as the stream. */
export class PlainReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #buffered: Buffer = Buffer.alloc(0);
  #greeting = '';

  constructor(stream: Duplex) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The text before the first packet, so far. */
  get greeting(): string {
    return this.#greeting;
  }

  /** Reads up to the server's identification line (RFC 4253 section 4.2). */
  async identification(): Promise<void> {
    for (;;) {
      const end = this.#buffered.indexOf('\n');
      this.#greeting += this.#take(end < 0 ? this.#buffered.length : end + 1).toString('latin1');
      if (this.#greeting.length > MAX_GREETING) throw new WireError('the greeting has no end');
      if (end < 0) await this.#more();
      else if (/^SSH-[^\n]*\n$/m.test(this.#greeting)) return;
    }
  }

  /** The payload of the next packet. */
  async packet(): Promise<Buffer> {
    const length = (await this.#bytes(4)).readUInt32BE();
    if (length > MAX_PACKET || length < 1 + MIN_PADDING) throw new WireError('a packet has an impossible length');
    const packet = await this.#bytes(length);
    const padding = packet.readUInt8();
    if (padding >= length - 1) throw new WireError('a packet has an impossible padding');
    return packet.subarray(1, length - padding);
  }

  async #bytes(length: number): Promise<Buffer> {
    while (this.#buffered.length < length) await this.#more();
    return this.#take(length);
  }

  #take(length: number): Buffer {
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new Error('the connection was closed');
    this.#buffered = Buffer.concat([this.#buffered, value]);
  }
}
