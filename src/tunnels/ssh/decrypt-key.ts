import { createPrivateKey } from 'node:crypto';
import { aside } from '../../base/async/aside.ts';
import { plainEnvelope } from './key-envelope.ts';
import { type PrivateKey, parsePrivateKey } from './private-key.ts';

/** `locked`: the passphrase is wrong, or the key is damaged. `unsupported`: the passphrase is right. */
export type Decrypted = PrivateKey | 'locked' | 'unsupported';

/** Far above the time for the default 16 rounds of bcrypt_pbkdf, which is 0.2 s. */
const WITHIN_MS = 20_000;

/**
 * Decrypts a private key in a thread: bcrypt_pbkdf is slow on purpose, and ssh2's is synchronous. Rejects when the key has
 * so many rounds that it takes longer than 20 s. The caller zeroes its bytes; the copies of the thread end with it.
 */
export async function decryptPrivateKey(bytes: Buffer, passphrase: Buffer): Promise<Decrypted> {
  const opened = await aside(import.meta.url, openKey, [bytes, passphrase], WITHIN_MS);
  if (typeof opened === 'string') return opened;
  const plain = Buffer.from(opened);
  try {
    return parsePrivateKey(plain, undefined) ?? 'unsupported';
  } finally {
    plain.fill(0);
  }
}

/**
 * Runs in the thread. Returns the key in a form without a passphrase that ssh2 reads.
 *
 * @public the thread finds it by its name
 */
export function openKey(bytes: Uint8Array, passphrase: Uint8Array): Uint8Array | 'locked' | 'unsupported' {
  const [key, secret] = [Buffer.from(bytes), Buffer.from(passphrase)];
  try {
    const parsed = parsePrivateKey(key, secret);
    if (parsed === undefined) return opensElsewhere(key, secret) ? 'unsupported' : 'locked';
    const pem = parsed.key.getPrivatePEM();
    return Buffer.from(parsed.type === 'ssh-ed25519' ? plainEnvelope(pem) : pem);
  } finally {
    key.fill(0);
    secret.fill(0);
  }
}

/** Whether OpenSSL opens a PEM key with this passphrase, so that only ssh2 cannot use its type. */
function opensElsewhere(key: Buffer, passphrase: Buffer): boolean {
  try {
    createPrivateKey({ key, passphrase });
    return true;
  } catch {
    return false;
  }
}
