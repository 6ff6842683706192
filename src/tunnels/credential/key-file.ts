import { TunnelError } from '../../base/errors.ts';
import { shellWord } from '../../config/command-line.ts';
import { type KeyFormat, keyFormat, type PrivateKey, parsePrivateKey } from '../ssh/private-key.ts';
import { readSecretFile, type SecretFile } from './secret-file.ts';

const LABEL = 'private key';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The error for a key file in a format that is not usable. */
function unusable(format: Exclude<KeyFormat, 'private' | 'encrypted'>, path: string): TunnelError {
  const refuse = (reason: string, hint?: string) =>
    new TunnelError('key_unreadable', `${LABEL} ${path} ${reason}`, { hint });
  switch (format) {
    case 'public':
      return refuse(
        'is a public key, not a private key',
        `Configure the private key, usually the same path without .pub.`,
      );
    case 'pkcs8':
      return refuse(
        'is in PKCS#8 format, which is not supported',
        `Convert it: \`ssh-keygen -p -f ${shellWord(path)}\` (ed25519 needs OpenSSH 9.6 or later).`,
      );
    case 'putty':
      return refuse(
        'is in PuTTY format, which is not supported',
        `Convert it: \`puttygen ${shellWord(path)} -O private-openssh -o NEW\`.`,
      );
    case 'unknown':
      return refuse('is not a private key', `Make an OpenSSH private key with \`ssh-keygen -t ed25519\`.`);
  }
}

/** Without one trailing newline, which editors and `echo` add. A view of the same memory. */
function withoutNewline(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== NEWLINE) return bytes;
  return bytes.subarray(0, bytes.at(-2) === CARRIAGE_RETURN ? -2 : -1);
}

/**
 * Decrypted keys by path, until the key or its passphrase file changes. bcrypt_pbkdf is slow on purpose, and ssh2's is
 * synchronous: to decrypt at each attempt would block every connection of the process for 0.4 s. Each session keeps
 * such a key in memory anyway. Permissions are checked first at each attempt.
 */
const decrypted = new Map<string, { readonly stamps: string; readonly key: PrivateKey }>();

async function decrypt(
  { bytes, stamp }: SecretFile,
  path: string,
  passphraseFile: string | undefined,
  credentialsDirectory: string | undefined,
): Promise<PrivateKey> {
  if (passphraseFile === undefined) {
    throw new TunnelError('key_unreadable', `${LABEL} ${path} is encrypted, but no passphrase_file is configured`, {
      hint: 'Set passphrase_file, or use ssh-agent (key: agent).',
    });
  }
  const secret = await readSecretFile('passphrase file', passphraseFile, credentialsDirectory);
  try {
    if (secret.exposure !== undefined) throw secret.exposure;
    const stamps = `${stamp} ${secret.stamp}`;
    const opened = decrypted.get(path);
    if (opened?.stamps === stamps) return opened.key;
    const key = parsePrivateKey(bytes, withoutNewline(secret.bytes));
    if (key !== undefined) {
      decrypted.set(path, { stamps, key });
      return key;
    }
    decrypted.delete(path);
    throw new TunnelError('key_unreadable', `the passphrase in ${passphraseFile} does not decrypt ${LABEL} ${path}`, {
      hint: `Test the passphrase with \`ssh-keygen -y -f ${shellWord(path)}\`. The key must be ed25519, ECDSA or RSA.`,
    });
  } finally {
    secret.bytes.fill(0);
  }
}

/**
 * Reads a private key file. Throws `key_permissions` when others may read the file, `key_unreadable` when the key is not
 * usable. No byte of key or passphrase gets into a message. Our copies are zeroed; ssh2 keeps its own.
 * `credentialsDirectory` is systemd's `$CREDENTIALS_DIRECTORY`.
 */
export async function loadKeyFile(
  path: string,
  passphraseFile?: string,
  credentialsDirectory?: string,
): Promise<PrivateKey> {
  const file = await readSecretFile(LABEL, path, credentialsDirectory);
  const { bytes, exposure } = file;
  try {
    const format = keyFormat(bytes);
    // Before the permissions: `chmod 600` is the wrong advice for a public key.
    if (format === 'public') throw unusable(format, path);
    if (exposure !== undefined) throw exposure;
    if (format === 'encrypted') return await decrypt(file, path, passphraseFile, credentialsDirectory);
    if (format !== 'private') throw unusable(format, path);
    const key = parsePrivateKey(bytes, undefined);
    if (key !== undefined) return key;
    throw new TunnelError('key_unreadable', `${LABEL} ${path} is damaged, or its type is not supported`, {
      hint: `Check the key with \`ssh-keygen -y -f ${shellWord(path)}\`. Supported types: ed25519, ECDSA and RSA.`,
    });
  } finally {
    bytes.fill(0);
  }
}
