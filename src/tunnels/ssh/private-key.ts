import type { ParsedKey } from 'ssh2';
import { printable } from '../../base/text/printable.ts';
import { envelopeOf } from './key-envelope.ts';
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

const SUPPORTED = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/;

/** The ciphers of private keys that ssh2 knows: those of OpenSSH keys, then those of PEM keys. */
const CIPHERS: ReadonlySet<string> = new Set([
  'none',
  '3des-cbc',
  ...['aes128', 'aes192', 'aes256'].flatMap((name) => [`${name}-cbc`, `${name}-ctr`]),
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'AES-128-CBC',
  'AES-192-CBC',
  'AES-256-CBC',
  'DES-EDE3-CBC',
]);

/** Decides by the header, so that messages about a wrong file need no match on the text of ssh2's errors. */
export function keyFormat(bytes: Buffer): KeyFormat {
  const text = bytes.toString('latin1').trimStart();
  if (/^(ssh|ecdsa|sk)-\S+[ \t]+AAAA/.test(text)) return 'public';
  if (text.startsWith('---- BEGIN SSH2 PUBLIC KEY') || /^-----BEGIN (RSA )?PUBLIC KEY-/.test(text)) return 'public';
  if (text.startsWith('PuTTY-User-Key-File-')) return 'putty';
  if (/^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(text)) return 'pkcs8';
  const envelope = envelopeOf(text);
  if (envelope !== undefined) return envelope.cipher === 'none' ? 'private' : 'encrypted';
  return 'unknown';
}

/** A whole private key of PEM, in any text. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/;

/**
 * The first private key in a file, without the text around it, which ssh(1) ignores and ssh2 does not: curve parameters, attributes
 * of a bag, a second key. A view of the same memory; all of it if there is no whole key.
 */
export function privateKeyBlock(bytes: Buffer): Buffer {
  const { 0: block, index } = BLOCK.exec(bytes.toString('latin1')) ?? {};
  return block === undefined || index === undefined ? bytes : bytes.subarray(index, index + block.length);
}

/** What ssh2 cannot use in a key, whatever the passphrase. */
export interface Unsupported {
  readonly what: 'cipher' | 'type';
  readonly name: string;
}

/** Undefined when the clear part of a private key says nothing against the key. */
export function unsupportedIn(bytes: Buffer): Unsupported | undefined {
  const { cipher = 'none', type } = envelopeOf(bytes.toString('latin1').trimStart()) ?? {};
  if (type !== undefined && !SUPPORTED.test(type)) return { what: 'type', name: printable(type, 60) };
  return CIPHERS.has(cipher) ? undefined : { what: 'cipher', name: printable(cipher, 60) };
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
