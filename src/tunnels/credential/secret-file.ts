import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { TunnelError } from '../../base/errors.ts';
import { homeHint, isInHome, permissionHint } from '../../base/files/permission-hint.ts';
import { shellWord } from '../../config/command-line.ts';
import { sourceOfCredential } from '../../config/credential-source.ts';

/** Far above any key or passphrase; limits the read when the path is wrong. */
const MAX_BYTES = 64 * 1024;

/** The content of a secret file, and whether others can read the file. The caller zeroes `bytes`. */
export interface SecretFile {
  readonly bytes: Buffer;
  /** Set when users other than ours and root may read the file. */
  readonly exposure: TunnelError | undefined;
  /** Changes when the file is replaced or written: device, inode, size, mtime and ctime. */
  readonly stamp: string;
}

/** Name of the file in messages, e.g. `private key` or `passphrase file`. */
type Label = string;

function unreadable(label: Label, path: string, reason: string, cause?: unknown, hint?: string): TunnelError {
  return new TunnelError('key_unreadable', `${label} ${path} ${reason}`, { cause, ...(hint && { hint }) });
}

function openFailure(
  label: Label,
  path: string,
  error: unknown,
  credentialsDirectory: string | undefined,
): TunnelError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isCredential = dirname(path) === credentialsDirectory;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const hint = isCredential ? missingCredential(label, basename(path)) : undefined;
    return unreadable(label, path, 'does not exist', error, hint);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const hint = isCredential ? 'Only root and the unit read a credential of the unit.' : permissionHint(path, 'key');
    return unreadable(label, path, 'cannot be read: permission denied', error, hint);
  }
  return unreadable(label, path, `cannot be opened (${String(code)})`, error);
}

/** Outside the unit, only root sees the file that the unit loads. */
function missingCredential(label: Label, name: string): string {
  const source = sourceOfCredential(name);
  return source === undefined
    ? `Only the unit has this credential. Its drop-in needs LoadCredential=${name}:PATH.`
    : `Copy the ${label} to ${source}: the unit loads the file when it starts. Only root can test the file before.`;
}

/**
 * systemd gives a unit with `User=` its credentials as files of root with an ACL for that user. The mask of the ACL
 * shows in the group bits: mode 0440, owner root:root, although no group may read (systemd.exec(5), CREDENTIALS;
 * systemd issue 29435). Only exactly this mode and owner, directly in `$CREDENTIALS_DIRECTORY`, is accepted.
 */
function isAclOfSystemd(path: string, stats: Pick<Stats, 'mode' | 'uid' | 'gid'>, directory: string | undefined) {
  return directory !== undefined && dirname(path) === directory && stats.uid === 0 && stats.gid === 0
    ? (stats.mode & 0o777) === 0o440
    : false;
}

/**
 * Where a file system has no ACLs, systemd gives the credentials to the user of the unit. Root sees them there, in a command
 * outside the unit; only systemd writes in that directory.
 */
function isSeenByRoot(path: string, uid: number, directory: string | undefined): boolean {
  return uid === 0 && directory !== undefined && dirname(path) === directory;
}

/**
 * Returns `key_permissions` unless the file belongs to our user or root, and only the owner may read or write the file.
 * `uid` is our effective user id; `credentialsDirectory` is systemd's `$CREDENTIALS_DIRECTORY`.
 */
export function checkExposure(
  label: Label,
  path: string,
  stats: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  uid: number,
  credentialsDirectory: string | undefined,
): TunnelError | undefined {
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  const ours = stats.uid === uid || stats.uid === 0 || isSeenByRoot(path, uid, credentialsDirectory);
  if (!ours) {
    // A new owner would take the key away from the user who logs in with it today, such as the user of an ssh unit.
    const hint =
      uid === 0 && isInHome(path)
        ? `Leave the file to its user, and take a copy. ${homeHint(path, 'key')}`
        : `Run \`chown ${uid} ${shellWord(path)} && chmod 600 ${shellWord(path)}\`.`;
    return new TunnelError('key_permissions', `${label} ${path} belongs to another user (uid ${stats.uid})`, { hint });
  }
  if ((stats.mode & 0o077) === 0 || isAclOfSystemd(path, stats, credentialsDirectory)) return undefined;
  return new TunnelError('key_permissions', `${label} ${path} is readable or writable by other users (mode ${mode})`, {
    hint: `Run \`chmod 600 ${shellWord(path)}\`. If others may have read the file, replace the secret.`,
  });
}

async function readBounded(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/**
 * Reads a secret file. Check and read use the same open descriptor, so the file cannot be swapped in between. The caller
 * decides about the exposure, so that a public key given by mistake gets a better error.
 */
export async function readSecretFile(
  label: Label,
  path: string,
  credentialsDirectory: string | undefined,
): Promise<SecretFile> {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw openFailure(label, path, error, credentialsDirectory);
  });
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw unreadable(label, path, 'is a directory');
    if (!stats.isFile()) throw unreadable(label, path, 'is not a regular file');
    if (stats.size === 0) throw unreadable(label, path, 'is empty');
    if (stats.size > MAX_BYTES) throw unreadable(label, path, `is larger than ${MAX_BYTES / 1024} KiB`);
    const exposure = checkExposure(label, path, stats, process.geteuid?.() ?? 0, credentialsDirectory);
    // Nanoseconds: milliseconds in a double could miss the second of two quick writes.
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
    return {
      bytes: await readBounded(file, stats.size),
      exposure,
      stamp: [dev, ino, size, mtimeNs, ctimeNs].join('.'),
    };
  } finally {
    await file.close();
  }
}
