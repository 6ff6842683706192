import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TunnelError } from '../../base/errors.ts';
import { shellWord } from '../../config/command-line.ts';

/** Far above any key or passphrase; bounds what a wrong path can make us read. */
const MAX_BYTES = 64 * 1024;

/** What a file of secrets holds, and whether it is one. The caller zeroes `bytes`. */
export interface SecretFile {
  readonly bytes: Buffer;
  /** Set when the file may be read by others than us and root. */
  readonly exposure: TunnelError | undefined;
  /** Another one whenever the file is another or was written: device, inode, size, times of writing and change. */
  readonly stamp: string;
}

/** How the path is called in messages, e.g. `private key` or `passphrase file`. */
type Label = string;

function unreadable(label: Label, path: string, reason: string, cause?: unknown): TunnelError {
  return new TunnelError('key_unreadable', `${label} ${path} ${reason}`, { cause });
}

function openFailure(label: Label, path: string, error: unknown): TunnelError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return unreadable(label, path, 'does not exist', error);
  if (code === 'EACCES' || code === 'EPERM') return unreadable(label, path, 'cannot be read: permission denied', error);
  return unreadable(label, path, `cannot be opened (${String(code)})`, error);
}

/**
 * systemd gives a unit with `User=` its credentials as root's files with an ACL for that user, and the mask of an ACL
 * shows in the group bits: mode 0440, owner root:root, though no group may read (systemd.exec(5), CREDENTIALS; systemd
 * issue 29435). Only that exact shape, directly in our own `$CREDENTIALS_DIRECTORY`, is taken for it.
 */
function isAclOfSystemd(path: string, stats: Pick<Stats, 'mode' | 'uid' | 'gid'>, directory: string | undefined) {
  return directory !== undefined && dirname(path) === directory && stats.uid === 0 && stats.gid === 0
    ? (stats.mode & 0o777) === 0o440
    : false;
}

/**
 * `key_permissions` unless the file is ours or root's, and nobody else may read or write it. `uid` is our effective user
 * id; `credentialsDirectory` is systemd's `$CREDENTIALS_DIRECTORY`.
 */
export function checkExposure(
  label: Label,
  path: string,
  stats: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  uid: number,
  credentialsDirectory: string | undefined,
): TunnelError | undefined {
  const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
  if (stats.uid !== uid && stats.uid !== 0) {
    return new TunnelError('key_permissions', `${label} ${path} belongs to another user (uid ${stats.uid})`, {
      hint: `Run \`chown ${uid} ${shellWord(path)} && chmod 600 ${shellWord(path)}\`.`,
    });
  }
  if ((stats.mode & 0o077) === 0 || isAclOfSystemd(path, stats, credentialsDirectory)) return undefined;
  return new TunnelError('key_permissions', `${label} ${path} is open to other users (mode ${mode})`, {
    hint: `Run \`chmod 600 ${shellWord(path)}\`; make a new one if others may have read it.`,
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
 * Reads a file of secrets. Everything is asked of the one open descriptor, so nothing can be swapped between check and
 * read. Whether exposure matters is the caller's to say: a public key given by mistake is better called by its name.
 */
export async function readSecretFile(
  label: Label,
  path: string,
  credentialsDirectory: string | undefined,
): Promise<SecretFile> {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw openFailure(label, path, error);
  });
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw unreadable(label, path, 'is a directory');
    if (!stats.isFile()) throw unreadable(label, path, 'is not a regular file');
    if (stats.size === 0) throw unreadable(label, path, 'is empty');
    if (stats.size > MAX_BYTES) throw unreadable(label, path, `is larger than ${MAX_BYTES / 1024} KiB`);
    const exposure = checkExposure(label, path, stats, process.geteuid?.() ?? 0, credentialsDirectory);
    // As exact as the file system has it: milliseconds in a double would take two quick writes for one.
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
