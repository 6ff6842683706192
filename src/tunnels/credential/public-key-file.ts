import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TunnelError } from '../../base/errors.ts';
import { stateError } from '../../base/files/state-error.ts';
import { writeAtomically } from '../../base/files/write-atomically.ts';
import { shellWord } from '../../config/command-line.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { certificatePathOf, MOST_CERTIFICATE_BYTES } from './cert-command.ts';

export interface PublicKeySource {
  /** Name of the actor: also the file name, and the comment of a derived key. */
  readonly actor: string;
  /** Absolute path of the private key file. */
  readonly keyPath: string;
  readonly key: PrivateKey;
  /** The actor's own directory, which exists: `CertificateStore.directory` after `checkWritable`. */
  readonly directory: string;
}

/**
 * Writes the public key for `{pubkey}` to `ACTOR.pub` in the actor's state directory, and returns its path. Always a copy:
 * commands write `…-cert.pub` beside the file, the key's own directory may be read-only (LoadCredential), and nothing is
 * left in a user's ~/.ssh. An old `…-cert.pub` is removed, because some commands do not replace it. The content is
 * `<key>.pub` with its comment, or else derived from the private key. Rejects with `key_unreadable` when `<key>.pub`
 * belongs to another key, because one of the two files is wrong, or with `state_dir_unusable`.
 */
export async function writePublicKeyFile({ actor, keyPath, key, directory }: PublicKeySource): Promise<string> {
  const derived = `${key.type} ${key.key.getPublicSSH().toString('base64')}`;
  const given = await readLine(`${keyPath}.pub`);
  if (given !== undefined && !isOfKey(given, derived)) {
    throw new TunnelError('key_unreadable', `${keyPath}.pub is not the public half of ${keyPath}`, {
      hint: `Write it again: \`ssh-keygen -y -f ${shellWord(keyPath)} > ${shellWord(`${keyPath}.pub`)}\`, or remove it.`,
    });
  }
  const path = join(directory, `${actor}.pub`);
  const old = certificatePathOf(path);
  await unlink(old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw stateError('removed', old, error);
  });
  await writeAtomically(path, `${given ?? `${derived} ${actor}`}\n`, 0o644);
  return path;
}

/** `type base64 comment` (sshd(8), AUTHORIZED_KEYS FILE FORMAT, without options). */
function isOfKey(line: string, key: string): boolean {
  return line.split(/[ \t]+/, 2).join(' ') === key;
}

/** Undefined when the file is missing or unreadable: the file is optional. */
async function readLine(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((): undefined => undefined);
  if (file === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(MOST_CERTIFICATE_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.toString('utf8', 0, bytesRead).trim();
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}
