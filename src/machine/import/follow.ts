import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, loss, NotTranslatable, note, type SshEntry } from './entry.ts';
import { resolveHost, withConfigured } from './ssh-config.ts';

const SYSTEM_CONFIG = '/etc/ssh/ssh_config';

/**
 * Adds the settings that ssh would read from its configuration: an alias gets its address, and forwards of ssh_config
 * count. `user` imports. `trusted`: the configuration file is the choice of that user.
 */
export async function follow(entry: SshEntry, user: string, trusted: boolean): Promise<SshEntry> {
  if (/^(none|\/dev\/null)$/.test(entry.configFile ?? '')) return entry;
  const { file, unread } = await configurationOf(entry, user);
  const said = unread ? [note(`The ssh_config of ${entry.localUser} was not read.`)] : [];
  const account = trusted ? undefined : await accountOf(entry, user);
  const known = { ...entry, configFile: file, account, remarks: [...entry.remarks, ...said] };
  const login = entry.options.find(({ keyword }) => keyword === 'user')?.value;
  try {
    return withConfigured(known, await resolveHost(entry.destination, file, login, account));
  } catch (error) {
    if (!(error instanceof NotTranslatable)) throw error;
    return { ...known, remarks: [...known.remarks, loss(`ssh_config was not read: ${error.message}.`)] };
  }
}

/** `ssh -G` reads the files of the user who runs it; another user has other files. */
async function configurationOf(entry: SshEntry, user: string) {
  if (entry.configFile !== undefined) return { file: withHome(entry), unread: false };
  if (entry.localUser === user) return { file: undefined, unread: false };
  const system = (await readable(SYSTEM_CONFIG)) === 'readable' ? SYSTEM_CONFIG : 'none';
  if (entry.home === undefined) return { file: system, unread: true };
  const own = join(entry.home, '.ssh/config');
  const state = await readable(own);
  return state === 'readable' ? { file: own, unread: false } : { file: system, unread: state === 'refused' };
}

/** The user of the unit, if root imports for another one. The user cannot give a home away. */
async function accountOf({ localUser, home }: SshEntry, user: string): Promise<Account | undefined> {
  if (localUser === user || home === undefined || process.geteuid?.() !== 0) return undefined;
  const found = await stat(home).catch(() => undefined);
  return found && { uid: found.uid, gid: found.gid, home };
}

function withHome({ configFile = '', home }: SshEntry): string {
  return home === undefined ? configFile : configFile.replace(/^~(?=\/)/, home);
}

async function readable(path: string): Promise<'readable' | 'missing' | 'refused'> {
  return access(path, 4).then(
    () => 'readable' as const,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'missing' : 'refused'),
  );
}
