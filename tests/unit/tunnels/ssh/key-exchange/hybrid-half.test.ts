import { createHash, createPrivateKey } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { describe, expect, it } from 'vitest';
import { combine, HybridHalf } from '../../../../../src/tunnels/ssh/key-exchange/hybrid-half.ts';
import { libraryKem } from '../../../../../src/tunnels/ssh/key-exchange/ml-kem.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');

/** RFC 7748 section 6.1: Bob's keys, Alice's public key, and their secret. */
const BOB = createPrivateKey({
  key: bytes('302e020100300506032b656e042204205dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  format: 'der',
  type: 'pkcs8',
});
const BOB_PUBLIC = bytes('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
const ALICE_PUBLIC = bytes('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
const CLASSICAL = bytes('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
/** The first secret of the accumulated test vector of ML-KEM-768 (C2SP/CCTV). */
const POST_QUANTUM = bytes('fe627621fe296186fce32243dd554bdda38971b47f18461f21323782dfe5ff89');
/** By sha256sum(1), of both secrets one after the other. */
const COMBINED = bytes('c842db3eb12209bdae2d61faf903597a236feaa7cdf51e940edbc320bbdfb2da');

const input = createHash('shake128', { outputLength: 96 }).digest();
const kem = libraryKem(input.subarray(0, 64));
const { cipherText } = ml_kem768.encapsulate(kem.encapsulationKey, input.subarray(64));
const reply = Buffer.concat([cipherText, ALICE_PUBLIC]);
const half = () => new HybridHalf(kem, BOB);

describe('the hybrid exchange', () => {
  it('combines the two secrets in the order of the draft', () => {
    expect(combine(POST_QUANTUM, CLASSICAL)).toEqual(COMBINED);
    expect(combine(CLASSICAL, POST_QUANTUM)).not.toEqual(COMBINED);
  });

  it('sends the ML-KEM key before the X25519 key', () => {
    expect(half().message).toEqual(Buffer.concat([kem.encapsulationKey, BOB_PUBLIC]));
  });

  it("computes the secret from the server's half", () => {
    expect(half().secret(reply)).toEqual(COMBINED);
  });

  it.each([0, 32, 1_088, 1_119, 1_121, 1_216])('refuses a half of %i bytes', (length) => {
    expect(() => half().secret(Buffer.alloc(length, 9))).toThrow(`the server's half has ${length} bytes`);
  });

  it.each([0, 1])('refuses the X25519 key %i, which makes the secret predictable', (first) => {
    const key = Buffer.alloc(32);
    key[0] = first;
    expect(() => half().secret(Buffer.concat([cipherText, key]))).toThrow();
  });

  it('gives another secret for a damaged ciphertext', () => {
    const damaged = Buffer.from(reply);
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    expect(half().secret(damaged)).not.toEqual(COMBINED);
  });

  it('uses other keys each time', () => {
    expect(new HybridHalf().message).not.toEqual(new HybridHalf().message);
  });
});
