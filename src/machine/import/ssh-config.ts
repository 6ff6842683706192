import { execFile } from 'node:child_process';
import { type Account, NotTranslatable, type SshEntry, type SshOption } from './entry.ts';

/** `ssh -G` takes milliseconds, unless a `Match exec` in the configuration hangs. */
const ANSWER_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

/** The output of `ssh -G` for one host. */
export interface Resolved {
  /** Output with the configuration files. */
  readonly configured: string;
  /** Output without configuration files: equal lines are defaults. */
  readonly builtin: string;
}

/**
 * Resolves a host of ssh_config(5) with `ssh -G`, which knows Match, Include and the system's file. `file`: another
 * configuration file. `as`: the owner of that file, if not this user: the `Match exec` of others must not run with our
 * rights. Rejects with {@link NotTranslatable}.
 */
export async function resolveHost(
  host: string,
  file: string | undefined,
  user: string | undefined = undefined,
  as: Account | undefined = undefined,
): Promise<Resolved> {
  if (host.startsWith('-') || host === '') throw new NotTranslatable(`${host} is not a host name`);
  const chosen = file === undefined ? [] : ['-F', file];
  // With the user, `Match user` in the configuration sees what ssh would see.
  const asked = [...(user === undefined ? [] : ['-l', user]), '-G', host];
  const [configured, builtin] = await Promise.all([ask([...chosen, ...asked], as), ask(['-F', 'none', ...asked], as)]);
  return { configured, builtin };
}

function ask(args: readonly string[], as: Account | undefined): Promise<string> {
  const bounds = { timeout: ANSWER_MS, maxBuffer: MAX_BYTES, killSignal: 'SIGKILL' } as const;
  // Nor do others see our environment.
  const own = as && { uid: as.uid, gid: as.gid, cwd: '/', env: { PATH: process.env['PATH'], HOME: as.home } };
  return new Promise((resolve, reject) => {
    execFile('ssh', args, { ...bounds, ...own }, (error, out, err) => {
      if (!error) return resolve(out);
      const missing = error.code === 'ENOENT';
      // The last line only counts the bad options; the line before names one.
      const lines = err.split('\n').map((line) => line.trim().replace(/\.$/, ''));
      const said = lines.findLast((line) => line !== '' && !line.includes(': terminating, ')) ?? '';
      reject(
        new NotTranslatable(missing ? 'ssh is not installed; the import runs `ssh -G`' : `ssh -G failed: ${said}`, {
          cause: error,
        }),
      );
    });
  });
}

/** The entry of one host, with all settings that differ from the defaults. `user` runs ssh. Pure. */
export function entryOf(host: string, resolved: Resolved, user: string, file: string | undefined): SshEntry {
  const login = optionsOf(resolved.configured).filter(({ keyword }) => keyword === 'user');
  return {
    source: `ssh_config, host ${host}`,
    label: host,
    note: undefined,
    destination: host,
    options: [...login, ...configuredOptions(resolved)],
    localUser: user,
    home: undefined,
    configFile: file,
    remarks: [],
  };
}

/** The entry with the settings of ssh_config behind its own, as ssh reads them. Pure. */
export function withConfigured(entry: SshEntry, resolved: Resolved): SshEntry {
  return { ...entry, options: [...entry.options, ...configuredOptions(resolved)] };
}

function configuredOptions({ configured, builtin }: Resolved): SshOption[] {
  const defaults = new Set(optionsOf(builtin).map(({ keyword, value }) => `${keyword} ${value}`));
  // ssh tries either the usual keys or those of the configuration, which may be usual ones too.
  const named = valuesOf(configured, 'identityfile').join('\n') !== valuesOf(builtin, 'identityfile').join('\n');
  const toSockets = valuesOf(configured, 'localforward').flatMap((value) => {
    const [listen = '', target = ''] = value.split(/\s+/);
    return listen.startsWith('/') || target.startsWith('/') ? [listen] : [];
  });
  return optionsOf(configured).filter(({ keyword, value }) => {
    if (keyword === 'host') return false;
    // For a LocalForward from or to a socket, ssh -G also prints a DynamicForward.
    if (keyword === 'dynamicforward' && toSockets.includes(value)) return false;
    if (keyword === 'identityfile') return named;
    return keyword === 'hostname' || !defaults.has(`${keyword} ${value}`);
  });
}

function optionsOf(text: string): SshOption[] {
  return text.split('\n').flatMap((line): SshOption[] => {
    const space = line.indexOf(' ');
    return space === -1 ? [] : [{ keyword: line.slice(0, space).toLowerCase(), value: line.slice(space + 1).trim() }];
  });
}

function valuesOf(text: string, keyword: string): string[] {
  return optionsOf(text).flatMap((option) => (option.keyword === keyword ? [option.value] : []));
}
