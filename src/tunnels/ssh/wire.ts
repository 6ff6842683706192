/** The data is not in SSH's wire format (RFC 4251 section 5). The message names the fault, and contains no data. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads the data types of RFC 4251 section 5 in order. Views share the buffer's memory. Throws only {@link WireError}. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Number of bytes read so far. */
  get position(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  /** Raw bytes, without a length before them. */
  bytes(length: number): Buffer {
    return this.#take(length);
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  /** A string in UTF-8 without NUL. Rejects text that `toString` would change or a C program would cut. */
  text(): string {
    const bytes = this.string();
    const text = bytes.toString('utf8');
    if (bytes.includes(0) || !Buffer.from(text, 'utf8').equals(bytes)) throw new WireError('a text is not UTF-8');
    return text;
  }

  /** A positive mpint in its shortest form, returned without the leading zero byte. */
  positiveInteger(): Buffer {
    const bytes = this.string();
    const [first, second = 0] = bytes;
    const negative = first === undefined || (first & 0x80) !== 0;
    if (negative || (first === 0 && (second & 0x80) === 0)) throw new WireError('a number is malformed');
    return first === 0 ? bytes.subarray(1) : bytes;
  }

  /** Throws when bytes are left. */
  end(): void {
    if (this.left > 0) throw new WireError('bytes are left over');
  }

  #take(length: number): Buffer {
    if (length > this.left) throw new WireError('the data is cut short');
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }
}

/** RFC 4251 section 5, `string`. */
export function wireString(value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
