import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { wireString } from '../../../src/tunnels/ssh/wire.ts';

/** Builds certificates field by field, also faulty ones that no CA would sign. */
export interface CertificateFields {
  type: string;
  nonce: Buffer;
  /** The subject's public key, its type included. */
  subject: Buffer;
  serial: bigint;
  role: number;
  keyId: Buffer | string;
  principals: readonly (Buffer | string)[];
  validAfter: bigint;
  validBefore: bigint;
  criticalOptions: readonly (readonly [name: string, data: Buffer])[];
  extensions: readonly (readonly [name: string, data: Buffer])[];
  reserved: Buffer;
  ca: SigningKey;
  /** One of the CA's algorithms. */
  algorithm: string;
}

export type KeyKind = 'ed25519' | 'nistp256' | 'nistp384' | 'nistp521' | 'rsa';

export interface SigningKey {
  readonly type: string;
  /** RFC 4253 section 6.6. */
  readonly blob: Buffer;
  /** Algorithm and signature in wire format. */
  sign(data: Buffer, algorithm?: string): Buffer;
}

const HASHES: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null,
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
  'ssh-rsa': 'sha1',
};

export function mpint(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const shortest = bytes.subarray(start);
  return wireString((shortest[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), shortest]) : shortest);
}

function keyPair(kind: KeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519');
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  const curves = { nistp256: 'P-256', nistp384: 'P-384', nistp521: 'P-521' } as const;
  return generateKeyPairSync('ec', { namedCurve: curves[kind] });
}

export function signingKey(kind: KeyKind = 'ed25519'): SigningKey {
  const { privateKey, publicKey } = keyPair(kind);
  const jwk = publicKey.export({ format: 'jwk' });
  const part = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
  const type = kind === 'ed25519' ? 'ssh-ed25519' : kind === 'rsa' ? 'ssh-rsa' : `ecdsa-sha2-${kind}`;
  const fields =
    kind === 'ed25519'
      ? [wireString(part(jwk.x))]
      : kind === 'rsa'
        ? [mpint(part(jwk.e)), mpint(part(jwk.n))]
        : [wireString(kind), wireString(Buffer.concat([Buffer.of(4), part(jwk.x), part(jwk.y)]))];
  return {
    type,
    blob: Buffer.concat([wireString(type), ...fields]),
    sign(data, algorithm = kind === 'rsa' ? 'rsa-sha2-512' : type) {
      const hash = HASHES[algorithm] ?? null;
      if (!algorithm.startsWith('ecdsa')) {
        return Buffer.concat([wireString(algorithm), wireString(sign(hash, data, privateKey))]);
      }
      const pair = sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const half = pair.length / 2;
      const numbers = Buffer.concat([mpint(pair.subarray(0, half)), mpint(pair.subarray(half))]);
      return Buffer.concat([wireString(algorithm), wireString(numbers)]);
    },
  };
}

const ca = signingKey();
const subject = signingKey();

/** A good user certificate with a new key and a new CA. */
export const goodFields: CertificateFields = {
  type: 'ssh-ed25519-cert-v01@openssh.com',
  nonce: Buffer.alloc(32, 7),
  subject: subject.blob,
  serial: 42n,
  role: 1,
  keyId: 'test',
  principals: ['atm-fleet-mesh'],
  validAfter: 1_700_000_000n,
  validBefore: 1_700_003_600n,
  criticalOptions: [],
  extensions: [['permit-port-forwarding', Buffer.alloc(0)]],
  reserved: Buffer.alloc(0),
  ca,
  algorithm: 'ssh-ed25519',
};

const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const uint32 = (value: number): Buffer => uint64(BigInt(value)).subarray(4);
const list = (items: readonly (Buffer | string)[]): Buffer =>
  wireString(Buffer.concat(items.map((item) => wireString(item))));

/** The blob of good fields with some changed; a changed `ca` signs with its own algorithm unless that is given too. */
export function buildCertificate(changed: Partial<CertificateFields> = {}): Buffer {
  const fields = { ...goodFields, ...changed };
  const typeLength = 4 + fields.subject.readUInt32BE(0);
  const signed = Buffer.concat([
    wireString(fields.type),
    wireString(fields.nonce),
    fields.subject.subarray(typeLength),
    uint64(fields.serial),
    uint32(fields.role),
    wireString(fields.keyId),
    list(fields.principals),
    uint64(fields.validAfter),
    uint64(fields.validBefore),
    list(fields.criticalOptions.flat()),
    list(fields.extensions.flat()),
    wireString(fields.reserved),
    wireString(fields.ca.blob),
  ]);
  const { algorithm } = changed.ca ? changed : fields;
  return Buffer.concat([signed, wireString(fields.ca.sign(signed, algorithm))]);
}

/** As in a `-cert.pub` file. */
export function lineOf(blob: Buffer): string {
  const type = blob.toString('utf8', 4, 4 + blob.readUInt32BE(0));
  return `${type} ${blob.toString('base64')}`;
}
