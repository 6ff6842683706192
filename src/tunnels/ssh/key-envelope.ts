import { createPrivateKey, randomBytes } from 'node:crypto';
import { WireReader, wireString } from './wire.ts';

/** What a private key file says in the clear, without a passphrase. */
export interface KeyEnvelope {
  /** Name of the cipher; `none` for a key that is not encrypted. */
  readonly cipher: string;
  /** Type of the key, such as `ssh-ed25519`; undefined where only the decrypted key has it. */
  readonly type: string | undefined;
}

/** OpenSSH, PROTOCOL.key. */
const MAGIC = 'openssh-key-v1\0';

/** Undefined when the text is no OpenSSH or PEM private key. Does not decrypt or check the key. */
export function envelopeOf(text: string): KeyEnvelope | undefined {
  if (text.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----')) return opensshEnvelope(text);
  // The older PEM format, with the headers of RFC 1421, which `ssh-keygen -m PEM` still writes.
  const [, kind] = /^-----BEGIN (RSA|EC|DSA) PRIVATE KEY-----/.exec(text) ?? [];
  if (kind === undefined) return undefined;
  const type = { RSA: 'ssh-rsa', DSA: 'ssh-dss', EC: undefined }[kind];
  if (!/^Proc-Type: 4,ENCRYPTED/m.test(text)) return { cipher: 'none', type };
  return { cipher: /^DEK-Info: ([^,\s]+)/m.exec(text)?.[1] ?? 'unknown', type };
}

function opensshEnvelope(text: string): KeyEnvelope | undefined {
  const blob = Buffer.from(text.replace(/-----[^-]*-----/g, ''), 'base64');
  if (!blob.toString('latin1').startsWith(MAGIC)) return undefined;
  try {
    const reader = new WireReader(blob.subarray(MAGIC.length));
    const cipher = reader.text();
    const derivation = reader.text();
    reader.string();
    reader.uint32();
    const type = new WireReader(reader.string()).text();
    return { cipher: derivation === 'bcrypt' || cipher === 'none' ? cipher : derivation, type };
  } catch {
    return undefined;
  }
}

/**
 * An Ed25519 key in PKCS#8, as an OpenSSH key without a passphrase: the only form of such a key that ssh2 reads. ssh2
 * itself can only write PKCS#8.
 */
export function plainEnvelope(pkcs8: string): string {
  const { d = '', x = '' } = createPrivateKey(pkcs8).export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const type = wireString('ssh-ed25519');
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    type,
    wireString(point),
    wireString(Buffer.concat([seed, point])),
    wireString(''),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const whole = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    wireString('none'),
    wireString('none'),
    wireString(''),
    Buffer.from([0, 0, 0, 1]),
    wireString(Buffer.concat([type, wireString(point)])),
    wireString(Buffer.concat([secret, padding])),
  ]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${whole.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
