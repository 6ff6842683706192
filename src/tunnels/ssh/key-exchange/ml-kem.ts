import * as crypto from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

/** Sizes of ML-KEM-768 (FIPS 203, table 3), in bytes. */
export const ENCAPSULATION_KEY_BYTES = 1_184;
export const CIPHERTEXT_BYTES = 1_088;
/** The two seeds d and z of a key (FIPS 203, section 7.1), in bytes. */
const SEED_BYTES = 64;

/** A key pair of ML-KEM-768. */
export interface KemKey {
  /** For the peer. */
  readonly encapsulationKey: Buffer;
  /** The secret in a ciphertext. A damaged ciphertext gives another secret; throws when the length is wrong. */
  decapsulate(ciphertext: Buffer): Buffer;
}

/** Makes the key pair of a seed of 64 bytes. */
export type KemOfSeed = (seed: Buffer) => KemKey;

/** ML-KEM-768 in TypeScript. */
export const libraryKem: KemOfSeed = (seed) => {
  const { publicKey, secretKey } = ml_kem768.keygen(seed);
  return {
    encapsulationKey: Buffer.from(publicKey),
    decapsulate: (ciphertext) => Buffer.from(ml_kem768.decapsulate(ciphertext, secretKey)),
  };
};

/** PKCS #8 of a seed (RFC 9935, section 6), up to the seed itself. */
const PKCS8_OF_SEED = Buffer.from('3054020100300b060960864801650304040204428040', 'hex');

/** ML-KEM-768 of Node 24.7 and later; undefined in an older Node, or in one whose OpenSSL has no ML-KEM. */
export const builtInKem: KemOfSeed | undefined = findBuiltIn();

function findBuiltIn(): KemOfSeed | undefined {
  const { decapsulate } = crypto as { decapsulate?: (key: crypto.KeyObject, ciphertext: Buffer) => Buffer };
  if (typeof decapsulate !== 'function') return undefined;
  const ofSeed: KemOfSeed = (seed) => {
    const key = crypto.createPrivateKey({ key: Buffer.concat([PKCS8_OF_SEED, seed]), format: 'der', type: 'pkcs8' });
    const spki = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
    return {
      encapsulationKey: spki.subarray(-ENCAPSULATION_KEY_BYTES),
      decapsulate: (ciphertext) => decapsulate(key, ciphertext),
    };
  };
  try {
    ofSeed(Buffer.alloc(SEED_BYTES));
    return ofSeed;
  } catch {
    return undefined;
  }
}

/** A new key pair, by Node where possible. */
export function newKemKey(): KemKey {
  return (builtInKem ?? libraryKem)(crypto.randomBytes(SEED_BYTES));
}
