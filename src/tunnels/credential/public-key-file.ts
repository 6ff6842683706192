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
  /** Name of the actor: that of the file, and the comment of a derived key. */
  readonly actor: string;
  /** Of the private key's file, absolute. */
  readonly keyPath: string;
  readonly key: PrivateKey;
  /** The actor's own, which is there: `CertificateStore.directory` after `checkWritable`. */
  readonly directory: string;
}

/**
 * Writes the public key that `{pubkey}` names, `ACTOR.pub` in the actor's own state directory, and returns its path. It is
 * always a working copy: commands write `…-cert.pub` beside it, some refuse to replace one that is there (so an old one is
 * removed), the key's own directory may be read-only (LoadCredential), and nothing is ever left in a user's ~/.ssh. What is
 * in it is `<key>.pub` with its comment, or, without that, derived from the private key. Rejects with `key_unreadable` when
 * `<key>.pub` belongs to another key, since then one of the two is not what the operator means; with `state_dir_unusable`.
 */
export async function writePublicKeyFile({ actor, keyPath, key, directory }: PublicKeySource): Promise<string> {
  const derived = `${key.type} ${key.key.getPublicSSH().toString('base64')}`;
  const given = await readLine(`${keyPath}.pub`);
  if (given !== undefined && !isOfKey(given, derived)) {
    throw new TunnelError('key_unreadable', `${keyPath}.pub is not the public half of ${keyPath}`, {
      hint: `Make it anew: \`ssh-keygen -y -f ${shellWord(keyPath)} > ${shellWord(`${keyPath}.pub`)}\`, or remove it.`,
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

/** Undefined for a file that is not there or not for us to read: it is only a convenience. */
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
