import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TunnelError } from '../../../../../src/base/errors.ts';
import { parseCertificateBlob } from '../../../../../src/tunnels/ssh/certificate/certificate.ts';
import { verifySignature } from '../../../../../src/tunnels/ssh/certificate/certificate-signature.ts';
import { WireReader, wireString } from '../../../../../src/tunnels/ssh/wire.ts';
import {
  buildCertificate,
  type KeyKind,
  type SigningKey,
  signingKey,
} from '../../../../support/certificates/built-certificate.ts';

const verdict = (blob: Buffer) => verifySignature(parseCertificateBlob(blob));
const keys = new Map(
  (['ed25519', 'nistp256', 'nistp384', 'nistp521', 'rsa'] as const).map((kind) => [kind, signingKey(kind)]),
);
const ca = (kind: KeyKind) => keys.get(kind) as SigningKey;
const signers: [KeyKind, string][] = [
  ['ed25519', 'ssh-ed25519'],
  ['nistp256', 'ecdsa-sha2-nistp256'],
  ['nistp384', 'ecdsa-sha2-nistp384'],
  ['nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa', 'rsa-sha2-256'],
  ['rsa', 'rsa-sha2-512'],
];

/** A CA whose signature is changed after signing. */
const tampered = (key: SigningKey, change: (algorithm: string, signature: Buffer) => Buffer[]): SigningKey => ({
  ...key,
  sign(data, algorithm) {
    const reader = new WireReader(key.sign(data, algorithm));
    return Buffer.concat(change(reader.text(), reader.string()));
  },
});

describe.each(signers)('a %s CA with %s', (kind, algorithm) => {
  test('verifies a good signature', () => {
    // The numbers of ECDSA signatures vary in length.
    for (let time = 0; time < 20; time++) expect(verdict(buildCertificate({ ca: ca(kind), algorithm }))).toBe('valid');
  });

  test('rejects a signature with any changed bit', () => {
    const good = buildCertificate({ ca: ca(kind), algorithm });
    fc.assert(
      fc.property(fc.nat(8 * good.length - 1), (bit) => {
        const blob = Buffer.from(good);
        blob[bit >> 3] = (blob[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(believed(blob)).toBe(false);
      }),
    );
  });

  test('rejects a signature by another key of the same type', () => {
    const other = signingKey(kind);
    expect(verdict(buildCertificate({ ca: { ...other, blob: ca(kind).blob }, algorithm }))).toBe('invalid');
  });

  test('rejects a signature with extra bytes', () => {
    const longer = tampered(ca(kind), (name, signature) => [
      wireString(name),
      wireString(Buffer.concat([signature, Buffer.of(0)])),
    ]);
    expect(verdict(buildCertificate({ ca: longer, algorithm }))).toBe('invalid');
    const more = tampered(ca(kind), (name, signature) => [wireString(name), wireString(signature), Buffer.of(0)]);
    expect(() => parseCertificateBlob(buildCertificate({ ca: more, algorithm }))).toThrow(/left over/);
  });
});

test.each([
  ['SHA-1', { ca: ca('rsa'), algorithm: 'ssh-rsa' }],
  [
    'an unknown algorithm',
    { ca: tampered(ca('ed25519'), (_, bytes) => [wireString('sig@example'), wireString(bytes)]) },
  ],
])('calls a signature unsupported: %s', (_, fields) => {
  expect(verdict(buildCertificate(fields))).toBe('unsupported');
});

test.each([
  [
    'an algorithm of another key type',
    { ca: tampered(ca('ed25519'), (_, bytes) => [wireString('rsa-sha2-512'), wireString(bytes)]) },
  ],
  [
    'a CA key with bytes left over',
    { ca: { ...ca('ed25519'), blob: Buffer.concat([ca('ed25519').blob, Buffer.of(0)]) } },
  ],
  ['a CA key that is empty', { ca: { ...ca('ed25519'), blob: Buffer.alloc(0) } }],
  ['a CA key that is a certificate', { ca: { ...ca('ed25519'), blob: buildCertificate() } }],
  ['an RSA signature that is empty', { ca: tampered(ca('rsa'), (name) => [wireString(name), wireString('')]) }],
  [
    'an ECDSA signature of zeros',
    { ca: tampered(ca('nistp256'), (name) => [wireString(name), wireString(Buffer.alloc(8))]) },
  ],
])('rejects a signature: %s', (_, fields) => {
  expect(verdict(buildCertificate(fields))).not.toBe('valid');
});

function believed(blob: Buffer): boolean {
  try {
    return verdict(blob) === 'valid';
  } catch (error) {
    if (error instanceof TunnelError) return false;
    throw error;
  }
}
