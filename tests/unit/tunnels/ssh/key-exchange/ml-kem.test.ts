import { createHash } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { expect, it } from 'vitest';
import {
  builtInKem,
  CIPHERTEXT_BYTES,
  ENCAPSULATION_KEY_BYTES,
  libraryKem,
  newKemKey,
} from '../../../../../src/tunnels/ssh/key-exchange/ml-kem.ts';

/**
 * A hundred keys, ciphertexts and secrets, and the secrets of a hundred damaged ciphertexts, as one hash: the accumulated
 * test vector of ML-KEM-768 (C2SP/CCTV, ML-KEM; also in Go's crypto/mlkem).
 */
const ACCUMULATED = '1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415';

it.each([
  ['in TypeScript', libraryKem],
  ['of Node', builtInKem],
])('computes the published keys and secrets: %s', (_, kem) => {
  // Before Node 24.7 there is none to test.
  if (kem === undefined) return expect(Number(process.versions.node.split('.')[0])).toBeLessThanOrEqual(24);
  const input = createHash('shake128', { outputLength: 100 * (64 + 32 + CIPHERTEXT_BYTES) }).digest();
  let at = 0;
  const next = (bytes: number) => {
    at += bytes;
    return input.subarray(at - bytes, at);
  };
  const output = createHash('shake128', { outputLength: 32 });
  for (let n = 0; n < 100; n += 1) {
    const { encapsulationKey, decapsulate } = kem(next(64));
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(encapsulationKey, next(32));
    const secret = decapsulate(Buffer.from(cipherText));
    expect(secret.equals(sharedSecret)).toBe(true);
    const damaged = decapsulate(next(CIPHERTEXT_BYTES));
    output.update(encapsulationKey).update(cipherText).update(secret).update(damaged);
  }
  expect(output.digest('hex')).toBe(ACCUMULATED);
});

it('makes another key each time', () => {
  const [one, other] = [newKemKey(), newKemKey()];
  expect(one.encapsulationKey).toHaveLength(ENCAPSULATION_KEY_BYTES);
  expect(one.encapsulationKey.equals(other.encapsulationKey)).toBe(false);
});

it('refuses a ciphertext of another length', () => {
  for (const bytes of [0, CIPHERTEXT_BYTES - 1, CIPHERTEXT_BYTES + 1])
    expect(() => newKemKey().decapsulate(Buffer.alloc(bytes))).toThrow();
});
