import type { ParsedKey } from 'ssh2';
import { WireError, WireReader, wireString } from '../wire.ts';

/** How a key of ours signs a login (RFC 8709, RFC 5656 section 3.1.2, RFC 8332). */
export interface SignatureAlgorithm {
  /** As it stands in the signature, e.g. `rsa-sha2-512`. */
  readonly name: string;
  /** Undefined where the key type leaves no choice. */
  readonly hash: 'sha256' | 'sha512' | undefined;
}

const RSA: readonly SignatureAlgorithm[] = [
  { name: 'rsa-sha2-512', hash: 'sha512' },
  { name: 'rsa-sha2-256', hash: 'sha256' },
];

/**
 * In the order to try them. A server does not announce which algorithms it takes with certificates (RFC 8308's
 * `server-sig-algs` has plain names), so the second costs one more of its MaxAuthTries.
 */
export function signatureAlgorithms(keyType: string): readonly SignatureAlgorithm[] {
  return keyType === 'ssh-rsa' ? RSA : [{ name: keyType, hash: undefined }];
}

/** A signature by a key in memory, as it stands on the wire behind its algorithm's name. */
export function signWith(key: ParsedKey, algorithm: SignatureAlgorithm, data: Buffer): Buffer {
  // ssh2's types leave out that it returns what went wrong.
  const signature: Buffer | Error = key.sign(data, algorithm.hash);
  if (signature instanceof Error) throw signature;
  return key.type.startsWith('ecdsa-') ? ecdsaOnTheWire(signature) : signature;
}

const DER_SEQUENCE = 0x30;
const DER_INTEGER = 0x02;
const DER_LONG = 0x80;

/** ECDSA as OpenSSL has it, SEQUENCE { INTEGER r, INTEGER s } (RFC 3279 section 2.2.3), as two mpints: both are two's complement. */
function ecdsaOnTheWire(der: Buffer): Buffer {
  const reader = new WireReader(der);
  const header = (tag: number): number => {
    if (reader.byte() !== tag) throw new WireError('an ECDSA signature is no DER');
    const length = reader.byte();
    // One byte of length is enough for P-521: two numbers of 66 bytes each.
    return length === (DER_LONG | 1) ? reader.byte() : length;
  };
  header(DER_SEQUENCE);
  const numbers = [0, 1].map(() => reader.bytes(header(DER_INTEGER)));
  reader.end();
  return Buffer.concat(numbers.map((number) => wireString(number)));
}
