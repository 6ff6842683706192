import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { WireError, WireReader } from './wire.ts';

/** Elliptic curves of RFC 5656 by SSH name; `bytes` is the length of one coordinate. */
const CURVES: ReadonlyMap<string, { readonly crv: string; readonly bytes: number }> = new Map([
  ['nistp256', { crv: 'P-256', bytes: 32 }],
  ['nistp384', { crv: 'P-384', bytes: 48 }],
  ['nistp521', { crv: 'P-521', bytes: 66 }],
]);

const ECDSA = 'ecdsa-sha2-';
const ED25519_BYTES = 32;
const UNCOMPRESSED = 4;
/** Limits of OpenSSH: SSH_RSA_MINIMUM_MODULUS_SIZE and SSHBUF_MAX_BIGNUM, in bits. */
const RSA_BITS = { least: 1024, most: 16_384 };

const base64url = (bytes: Buffer): string => bytes.toString('base64url');

function ed25519(reader: WireReader): JsonWebKey {
  const x = reader.string();
  if (x.length !== ED25519_BYTES) throw new WireError('an ed25519 key has the wrong length');
  return { kty: 'OKP', crv: 'Ed25519', x: base64url(x) };
}

function ecdsa(type: string, reader: WireReader): JsonWebKey {
  const name = reader.text();
  const curve = CURVES.get(name);
  const point = reader.string();
  if (curve === undefined || type !== `${ECDSA}${name}`) throw new WireError('an ECDSA key names another curve');
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== UNCOMPRESSED)
    throw new WireError('an ECDSA key is not a point');
  const x = point.subarray(1, 1 + curve.bytes);
  return { kty: 'EC', crv: curve.crv, x: base64url(x), y: base64url(point.subarray(1 + curve.bytes)) };
}

function bitsOf(number: Buffer): number {
  return 8 * number.length - Math.clz32(number[0] ?? 0) + 24;
}

function rsa(reader: WireReader): JsonWebKey {
  const e = reader.positiveInteger();
  const n = reader.positiveInteger();
  const bits = bitsOf(n);
  if (bits < RSA_BITS.least || bits > RSA_BITS.most) throw new WireError(`an RSA key has ${bits} bits`);
  return { kty: 'RSA', e: base64url(e), n: base64url(n) };
}

/**
 * The fields of a public key that follow its type (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4).
 * Undefined for an unsupported type; throws WireError for an invalid key.
 */
export function readPublicKey(type: string, reader: WireReader): KeyObject | undefined {
  const key =
    type === 'ssh-ed25519'
      ? ed25519(reader)
      : type === 'ssh-rsa'
        ? rsa(reader)
        : type.startsWith(ECDSA)
          ? ecdsa(type, reader)
          : undefined;
  if (key === undefined) return undefined;
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    // For example, a point that is not on the curve.
    throw new WireError('a public key is not valid');
  }
}

/** A whole public key blob; undefined when its type is not supported. Throws WireError. */
export function parsePublicKey(blob: Buffer): { readonly type: string; readonly key: KeyObject } | undefined {
  const reader = new WireReader(blob);
  const type = reader.text();
  const key = readPublicKey(type, reader);
  if (key === undefined) return undefined;
  reader.end();
  return { type, key };
}

/** The SHA256 fingerprint of a public key blob (RFC 4253 section 6.6) as OpenSSH prints it: `SHA256:…`, unpadded base64. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
