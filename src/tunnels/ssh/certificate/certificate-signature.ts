import { verify } from 'node:crypto';
import { parsePublicKey } from '../public-key.ts';
import { WireError, WireReader } from '../wire.ts';
import type { Certificate } from './certificate.ts';

/** A signature algorithm (RFC 8709, RFC 5656 section 3.1.2, RFC 8332). SHA-1 and DSA are not supported. */
interface Algorithm {
  /** Type of the key that signs. */
  readonly keyType: string;
  /** Null when the algorithm has its own hash. */
  readonly hash: string | null;
  /** ECDSA: length of each of the two numbers, in bytes. */
  readonly numberBytes?: number;
}

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['ssh-ed25519', { keyType: 'ssh-ed25519', hash: null }],
  ['ecdsa-sha2-nistp256', { keyType: 'ecdsa-sha2-nistp256', hash: 'sha256', numberBytes: 32 }],
  ['ecdsa-sha2-nistp384', { keyType: 'ecdsa-sha2-nistp384', hash: 'sha384', numberBytes: 48 }],
  ['ecdsa-sha2-nistp521', { keyType: 'ecdsa-sha2-nistp521', hash: 'sha512', numberBytes: 66 }],
  ['rsa-sha2-256', { keyType: 'ssh-rsa', hash: 'sha256' }],
  ['rsa-sha2-512', { keyType: 'ssh-rsa', hash: 'sha512' }],
]);

/** Whether the CA key in a certificate signed the certificate; `unsupported`: the key type or hash is not allowed. */
export type SignatureVerdict = 'valid' | 'invalid' | 'unsupported';

/** Checks the signature with the CA key inside the certificate. Does not check whether that CA is trusted. */
export function verifySignature({ caKeyBlob, signed, signature }: Certificate): SignatureVerdict {
  const algorithm = ALGORITHMS.get(signature.algorithm);
  if (algorithm === undefined) return 'unsupported';
  try {
    const ca = parsePublicKey(caKeyBlob);
    if (ca === undefined) return 'unsupported';
    if (ca.type !== algorithm.keyType) return 'invalid';
    const { numberBytes, hash } = algorithm;
    const valid =
      numberBytes === undefined
        ? verify(hash, signed, ca.key, signature.bytes)
        : verify(hash, signed, { key: ca.key, dsaEncoding: 'ieee-p1363' }, fixedLength(signature.bytes, numberBytes));
    return valid ? 'valid' : 'invalid';
  } catch (error) {
    if (error instanceof WireError) return 'invalid';
    throw error;
  }
}

/** The mpints r and s of RFC 5656 section 3.1.2 in the form of IEEE P1363: side by side, with equal length. */
function fixedLength(signature: Buffer, numberBytes: number): Buffer {
  const reader = new WireReader(signature);
  const numbers = [reader.positiveInteger(), reader.positiveInteger()];
  reader.end();
  if (numbers.some(({ length }) => length > numberBytes)) throw new WireError('a signature is too long');
  return Buffer.concat(numbers.flatMap((number) => [Buffer.alloc(numberBytes - number.length), number]));
}
