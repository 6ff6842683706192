import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, TunnelError } from '../../base/errors.ts';
import type { Config } from '../../config/config.ts';
import type { FileWarning } from '../../config/missing-files.ts';
import { CREDENTIALS_OF_THE_UNIT } from '../../config/paths.ts';
import { linksOf, settingsOf } from '../../config/way.ts';
import { checkExposure } from '../credential/secret-file.ts';
import { hostTrust } from '../ssh/host-key/host-key-policy.ts';
import { KnownHostsFiles } from '../ssh/host-key/known-hosts-files.ts';

/**
 * The files of the links in use that the daemon refuses: secrets that others can read, and known_hosts without the host.
 * Reads no secret and uses no network. Another user than the daemon user may run this check: a file that the caller cannot
 * read is not reported, and the owner of a file is taken for the daemon user. {@link missingFiles} reports missing files.
 */
export async function refusedFiles(config: Config): Promise<FileWarning[]> {
  const knownHosts = new KnownHostsFiles();
  const found = new Map<string, string>();
  for (const link of linksOf(config).values()) {
    const { host, actor } = settingsOf(config, link) ?? {};
    if (!host || !actor) continue;
    const key = actor.key.kind === 'file' ? actor.key : undefined;
    const secrets = [
      ['key', 'private key', key?.path],
      ['passphrase_file', 'passphrase file', key?.passphraseFile],
      ['fallback.key', 'private key', actor.fallback?.key.path],
    ] as const;
    for (const [at, label, path] of secrets) {
      const objection = path === undefined ? undefined : await exposure(label, path);
      if (objection) found.set(`actors.${link.actor}.${at}`, objection);
    }
    const unknown = await strange(knownHosts, host);
    if (unknown) found.set(`hosts.${link.host}.known_hosts`, unknown);
  }
  for (const [index, { secretFile }] of config.notify.entries()) {
    const objection = secretFile === undefined ? undefined : await exposure('token file', secretFile);
    if (objection) found.set(`notify[${index}].secret_file`, objection);
  }
  return [...found].map(([path, message]) => ({ path, message }));
}

async function exposure(label: string, path: string): Promise<string | undefined> {
  // systemd makes these files for the daemon user alone.
  if (dirname(path) === CREDENTIALS_OF_THE_UNIT) return undefined;
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ? advice(checkExposure(label, path, stats, stats.uid, undefined)) : undefined;
}

/** Why the daemon does not trust any key of the host. */
async function strange(
  files: KnownHostsFiles,
  { knownHosts, address, port }: { readonly knownHosts: string; readonly address: string; readonly port: number },
): Promise<string | undefined> {
  try {
    hostTrust((await files.find(knownHosts, address, port)).lines);
    return undefined;
  } catch (error) {
    const unread = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'].includes(errnoOf((error as Error).cause) ?? '');
    return unread ? undefined : advice(TunnelError.from(error));
  }
}

function advice(error: TunnelError | undefined): string | undefined {
  return error && `${error.message}. ${error.hint}`;
}
