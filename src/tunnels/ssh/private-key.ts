import type { ParsedKey } from 'ssh2';
import { fingerprint } from './public-key.ts';
import { ssh2 } from './ssh2.ts';

/** Format of a key file by its header, without parsing key material. */
export type KeyFormat = 'private' | 'encrypted' | 'pkcs8' | 'putty' | 'public' | 'unknown';

/** A private key that can sign, as ssh2 holds it. */
export interface PrivateKey {
  readonly key: ParsedKey;
  /** Of the public half, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** Type in the blob, e.g. `ssh-ed25519`. */
  readonly type: string;
}

const OPENSSH_MAGIC = 'openssh-key-v1\0';
const SUPPORTED = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/;

/** OpenSSH's PROTOCOL.key: the cipher's name follows the magic; `none` means not encrypted. */
function opensshFormat(text: string): KeyFormat {
  const body = text.replace(/-----[^-]*-----/g, '').replace(/\s+/g, '');
  const head = Buffer.from(body.slice(0, 64), 'base64').toString('latin1');
  if (!head.startsWith(OPENSSH_MAGIC)) return 'unknown';
  return head.startsWith('\0\0\0\u0004none', OPENSSH_MAGIC.length) ? 'private' : 'encrypted';
}

/** Decides by the header, so that messages about a wrong file need no match on the text of ssh2's errors. */
export function keyFormat(bytes: Buffer): KeyFormat {
  const text = bytes.toString('latin1').trimStart();
  if (/^(ssh|ecdsa|sk)-\S+[ \t]+AAAA/.test(text)) return 'public';
  if (text.startsWith('---- BEGIN SSH2 PUBLIC KEY') || /^-----BEGIN (RSA )?PUBLIC KEY-/.test(text)) return 'public';
  if (text.startsWith('PuTTY-User-Key-File-')) return 'putty';
  if (/^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(text)) return 'pkcs8';
  if (text.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----')) return opensshFormat(text);
  // The older PEM format (RFC 1421 headers), which `ssh-keygen -m PEM` still writes.
  if (/^-----BEGIN (RSA|EC|DSA) PRIVATE KEY-----/.test(text)) {
    return /^Proc-Type: 4,ENCRYPTED/m.test(text) ? 'encrypted' : 'private';
  }
  return 'unknown';
}

/**
 * Undefined when the bytes are damaged, the passphrase is wrong, or the type is not supported (DSA, FIDO). Returns no
 * reason, so that no text from a key's bytes gets into a message.
 */
export function parsePrivateKey(bytes: Buffer, passphrase: Buffer | undefined): PrivateKey | undefined {
  let parsed: ParsedKey | Error;
  try {
    parsed = ssh2.utils.parseKey(bytes, passphrase);
  } catch {
    return undefined;
  }
  if (parsed instanceof Error || !parsed.isPrivateKey() || !SUPPORTED.test(parsed.type)) return undefined;
  return { key: parsed, fingerprint: fingerprint(parsed.getPublicSSH()), type: parsed.type };
}
