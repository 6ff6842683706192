import type { ParsedKey } from 'ssh2';
import { WireError, WireReader, wireString } from '../wire.ts';

/** How our key signs a login (RFC 8709, RFC 5656 section 3.1.2, RFC 8332). */
export interface SignatureAlgorithm {
  /** Name inside the signature, e.g. `rsa-sha2-512`. */
  readonly name: string;
  /** Undefined when the key type has only one hash. */
  readonly hash: 'sha256' | 'sha512' | undefined;
}

const RSA: readonly SignatureAlgorithm[] = [
  { name: 'rsa-sha2-512', hash: 'sha512' },
  { name: 'rsa-sha2-256', hash: 'sha256' },
];

/**
 * Algorithms in the order of the tries. A server does not announce its algorithms for certificates (`server-sig-algs` of
 * RFC 8308 has plain names), so a second try counts against MaxAuthTries.
 */
export function signatureAlgorithms(keyType: string): readonly SignatureAlgorithm[] {
  return keyType === 'ssh-rsa' ? RSA : [{ name: keyType, hash: undefined }];
}

/** A signature by a key in memory, in wire format, without the name of the algorithm. */
export function signWith(key: ParsedKey, algorithm: SignatureAlgorithm, data: Buffer): Buffer {
  // ssh2's types do not mention that `sign` can return an Error.
  const signature: Buffer | Error = key.sign(data, algorithm.hash);
  if (signature instanceof Error) throw signature;
  return key.type.startsWith('ecdsa-') ? ecdsaOnTheWire(signature) : signature;
}

const DER_SEQUENCE = 0x30;
const DER_INTEGER = 0x02;
const DER_LONG = 0x80;

/** Converts OpenSSL's SEQUENCE { INTEGER r, INTEGER s } (RFC 3279 section 2.2.3) to two mpints; both are two's complement. */
function ecdsaOnTheWire(der: Buffer): Buffer {
  const reader = new WireReader(der);
  const header = (tag: number): number => {
    if (reader.byte() !== tag) throw new WireError('an ECDSA signature is not DER');
    const length = reader.byte();
    // One byte of length is enough for P-521: two numbers of 66 bytes each.
    return length === (DER_LONG | 1) ? reader.byte() : length;
  };
  header(DER_SEQUENCE);
  const numbers = [0, 1].map(() => reader.bytes(header(DER_INTEGER)));
  reader.end();
  return Buffer.concat(numbers.map((number) => wireString(number)));
}
