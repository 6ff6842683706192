import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { first, note, type SshEntry, type SshOption } from './entry.ts';

/** The keys that ssh(1) tries when none is named, without FIDO keys. */
const KEYS = ['id_rsa', 'id_ecdsa', 'id_ed25519', 'id_dsa'].map((name) => `~/.ssh/${name}`);
const KNOWN_HOSTS = ['~/.ssh/known_hosts', '/etc/ssh/ssh_known_hosts'];

/**
 * Names the files that ssh takes without being told: the key, if only one is there, and for the daemon of the system, which
 * has another home, known_hosts.
 */
export async function withUsualFiles(entry: SshEntry): Promise<SshEntry> {
  const keys = first(entry, 'identityfile') !== undefined || entry.agent === true ? [] : await present(KEYS, entry);
  const [key, ...others] = keys;
  const only = key !== undefined && others.length === 0 ? [{ keyword: 'identityfile', value: key }] : [];
  const named = entry.system !== true || first(entry, 'userknownhostsfile') !== undefined;
  const [hosts] = named ? [] : await present(KNOWN_HOSTS, entry);
  const options: SshOption[] = [...only, ...(hosts ? [{ keyword: 'userknownhostsfile', value: hosts }] : [])];
  const remarks = only.map(({ value }) => note(`No key is named: ssh finds ${value} only.`));
  return { ...entry, options: [...entry.options, ...options], remarks: [...entry.remarks, ...remarks] };
}

async function present(paths: readonly string[], { home = homedir() }: SshEntry): Promise<string[]> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path.replace(/^~/, () => home)).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  return found.filter((path) => path !== undefined);
}
