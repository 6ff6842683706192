import { messageOf, TunnelError } from '../../base/errors.ts';
import { shellWord } from '../../config/command-line.ts';
import { type Decrypted, decryptPrivateKey } from '../ssh/decrypt-key.ts';
import {
  type KeyFormat,
  keyFormat,
  type PrivateKey,
  parsePrivateKey,
  privateKeyBlock,
  type Unsupported,
  unsupportedIn,
} from '../ssh/private-key.ts';
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

const OTHER_TYPE = 'Use an ed25519, ECDSA (nistp256, nistp384, nistp521) or RSA key.';

/** Before the passphrase is tried: the passphrase may be right. */
function unsupportedError({ what, name }: Unsupported, path: string): TunnelError {
  return what === 'type'
    ? new TunnelError('key_unreadable', `${LABEL} ${path} has the type ${name}, which is not supported`, {
        hint: OTHER_TYPE,
      })
    : new TunnelError('key_unreadable', `${LABEL} ${path} is encrypted with ${name}, which is not supported`, {
        hint: `Encrypt it with the default cipher: \`ssh-keygen -p -f ${shellWord(path)}\`.`,
      });
}

/** Without one trailing newline, which editors and `echo` add. A view of the same memory. */
function withoutNewline(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== NEWLINE) return bytes;
  return bytes.subarray(0, bytes.at(-2) === CARRIAGE_RETURN ? -2 : -1);
}

/**
 * Decrypted keys by path, until the key or its passphrase file changes: links that connect at the same time decrypt a key
 * once, and a wrong passphrase is tried once. Each session keeps such a key in memory anyway. Permissions are checked
 * first at each attempt.
 */
const decrypted = new Map<string, { readonly stamps: string; readonly opening: Promise<Decrypted> }>();

async function decrypt(
  { bytes, stamp }: SecretFile,
  path: string,
  passphraseFile: string | undefined,
  credentialsDirectory: string | undefined,
): Promise<PrivateKey> {
  const refuse = (message: string, hint: string, cause?: unknown) =>
    new TunnelError('key_unreadable', message, { hint, cause });
  if (passphraseFile === undefined) {
    throw refuse(
      `${LABEL} ${path} is encrypted, but no passphrase_file is configured`,
      'Set passphrase_file, or use ssh-agent (key: agent).',
    );
  }
  const secret = await readSecretFile('passphrase file', passphraseFile, credentialsDirectory);
  let key: Decrypted;
  try {
    if (secret.exposure !== undefined) throw secret.exposure;
    key = await opened(path, `${stamp} ${secret.stamp}`, () => decryptPrivateKey(bytes, withoutNewline(secret.bytes)));
  } finally {
    secret.bytes.fill(0);
  }
  if (key === 'locked')
    throw refuse(
      `the passphrase in ${passphraseFile} does not decrypt ${LABEL} ${path}`,
      `Test the passphrase with \`ssh-keygen -y -f ${shellWord(path)}\`. The key must be ed25519, ECDSA or RSA.`,
    );
  if (key === 'unsupported') throw refuse(`${LABEL} ${path} has a type that is not supported`, OTHER_TYPE);
  return key;
}

function opened(path: string, stamps: string, open: () => Promise<Decrypted>): Promise<Decrypted> {
  const before = decrypted.get(path);
  if (before?.stamps === stamps) return before.opening;
  const opening = open().catch((error: unknown) => {
    // Perhaps only the machine was busy: the next attempt tries again.
    if (decrypted.get(path)?.opening === opening) decrypted.delete(path);
    throw new TunnelError('key_unreadable', `${LABEL} ${path} cannot be decrypted: ${messageOf(error)}`, {
      cause: error,
      hint: `A key with fewer rounds opens faster: \`ssh-keygen -p -a 16 -f ${shellWord(path)}\`.`,
    });
  });
  decrypted.set(path, { stamps, opening });
  return opening;
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
  const { exposure } = file;
  const bytes = privateKeyBlock(file.bytes);
  try {
    const format = keyFormat(bytes);
    // Before the permissions: `chmod 600` is the wrong advice for a public key.
    if (format === 'public') throw unusable(format, path);
    if (exposure !== undefined) throw exposure;
    const unsupported = unsupportedIn(bytes);
    if (unsupported !== undefined) throw unsupportedError(unsupported, path);
    if (format === 'encrypted') return await decrypt({ ...file, bytes }, path, passphraseFile, credentialsDirectory);
    if (format !== 'private') throw unusable(format, path);
    const key = parsePrivateKey(bytes, undefined);
    if (key !== undefined) return key;
    throw new TunnelError('key_unreadable', `${LABEL} ${path} is damaged, or its type is not supported`, {
      hint: `Check the key with \`ssh-keygen -y -f ${shellWord(path)}\`. Supported types: ed25519, ECDSA and RSA.`,
    });
  } finally {
    file.bytes.fill(0);
  }
}
