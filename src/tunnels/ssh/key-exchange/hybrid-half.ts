import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CIPHERTEXT_BYTES, type KemKey, newKemKey } from './ml-kem.ts';

/** ML-KEM-768 with X25519: secure as long as one of the two is (draft-ietf-sshm-mlkem-hybrid-kex). */
export const HYBRID = 'mlkem768x25519-sha256';

const X25519_BYTES = 32;

/** The client's half of one exchange, for one use. */
export class HybridHalf {
  readonly #kem: KemKey;
  readonly #x25519: KeyObject;
  /** `C_INIT`: the encapsulation key, then the X25519 key. */
  readonly message: Buffer;

  constructor(kem = newKemKey(), x25519 = generateKeyPairSync('x25519').privateKey) {
    this.#kem = kem;
    this.#x25519 = x25519;
    this.message = Buffer.concat([kem.encapsulationKey, x25519Bytes(x25519)]);
  }

  /**
   * The shared secret `K`, from the server's half `S_REPLY`: a ciphertext, then an X25519 key. Throws when the length is
   * wrong, or when the X25519 key makes the secret predictable (RFC 7748 section 6.1).
   */
  secret(reply: Buffer): Buffer {
    const bytes = CIPHERTEXT_BYTES + X25519_BYTES;
    if (reply.length !== bytes) throw new Error(`the server's half has ${reply.length} bytes instead of ${bytes}`);
    const postQuantum = this.#kem.decapsulate(reply.subarray(0, CIPHERTEXT_BYTES));
    return combine(postQuantum, x25519Secret(this.#x25519, reply.subarray(CIPHERTEXT_BYTES)));
  }
}

/** `K = SHA-256(K_PQ || K_CL)`. */
export function combine(postQuantum: Buffer, classical: Buffer): Buffer {
  return createHash('sha256').update(postQuantum).update(classical).digest();
}

/** The public key of a private key, as 32 bytes. */
export function x25519Bytes(privateKey: KeyObject): Buffer {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/** The secret of X25519 with the 32 bytes of the other side. Throws when the secret would be zero. */
export function x25519Secret(privateKey: KeyObject, theirs: Buffer): Buffer {
  const key = { kty: 'OKP', crv: 'X25519', x: theirs.toString('base64url') };
  return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) });
}
