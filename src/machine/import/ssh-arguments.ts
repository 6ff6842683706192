import { NotTranslatable, type SshOption } from './entry.ts';

/** The arguments of ssh(1), parsed. */
export interface SshArguments {
  readonly destination: string;
  readonly options: readonly SshOption[];
  /** The words of a remote command. They may contain secrets. */
  readonly command: readonly string[];
  /** The file of -F. */
  readonly configFile: string | undefined;
  /** Flags that were not translated, as written. */
  readonly untranslated: readonly string[];
  /** Flags that fleet-mesh does not need, as written. */
  readonly needless: readonly string[];
}

/** Flags with a value, and their keyword in ssh_config(5); undefined: none. */
const VALUED: Readonly<Record<string, string | undefined>> = {
  b: 'bindaddress',
  c: 'ciphers',
  e: 'escapechar',
  i: 'identityfile',
  l: 'user',
  m: 'macs',
  p: 'port',
  B: 'bindinterface',
  D: 'dynamicforward',
  E: undefined,
  F: undefined,
  I: 'pkcs11provider',
  J: 'proxyjump',
  L: 'localforward',
  O: undefined,
  P: undefined,
  Q: undefined,
  R: 'remoteforward',
  S: 'controlpath',
  W: 'stdioforward',
  w: 'tunneldevice',
};

const SIMPLE: Readonly<Record<string, SshOption>> = {
  '4': { keyword: 'addressfamily', value: 'inet' },
  '6': { keyword: 'addressfamily', value: 'inet6' },
  A: { keyword: 'forwardagent', value: 'yes' },
  C: { keyword: 'compression', value: 'yes' },
  g: { keyword: 'gatewayports', value: 'yes' },
  M: { keyword: 'controlmaster', value: 'yes' },
  X: { keyword: 'forwardx11', value: 'yes' },
  Y: { keyword: 'forwardx11trusted', value: 'yes' },
};

/** Flags without effect for a daemon that only forwards: no shell, no terminal, no background, no verbose output. */
const NEEDLESS = 'NTnfqvxakyst';

/** Parses the arguments of ssh(1) or autossh(1), as getopt(3) does. Throws {@link NotTranslatable}. */
export function parseSshArguments(words: readonly string[], program: 'ssh' | 'autossh'): SshArguments {
  const options: SshOption[] = [];
  const untranslated: string[] = [];
  const needless: string[] = [];
  let destination: string | undefined;
  let command: readonly string[] = [];
  let configFile: string | undefined;
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') continue;
    if (!word.startsWith('-') || word === '-') {
      // After the destination come more options, or a command with all remaining words.
      if (destination !== undefined) {
        command = [word, ...queue];
        break;
      }
      const named = splitDestination(word);
      destination = named.destination;
      // Of two settings, the one that comes first wins: `-l a b@host` logs in as a.
      options.push(...named.options);
      continue;
    }
    for (let rest = word.slice(1); rest !== ''; ) {
      const flag = rest[0] ?? '';
      rest = rest.slice(1);
      const monitored = flag === 'M' && program === 'autossh';
      if (flag === 'o' || monitored || Object.hasOwn(VALUED, flag)) {
        const value = rest === '' ? queue.shift() : rest;
        if (value === undefined) throw new NotTranslatable(`-${flag} has no value`);
        rest = '';
        if (monitored) needless.push(`-M ${value}`);
        else if (flag === 'o') options.push(parseOption(value));
        else if (flag === 'F') configFile = value;
        else if (flag === 'E') needless.push(`-E ${value}`);
        else {
          const keyword = VALUED[flag];
          if (keyword === undefined) untranslated.push(`-${flag} ${value}`);
          else options.push({ keyword, value });
        }
      } else if (SIMPLE[flag]) options.push(SIMPLE[flag]);
      else if (NEEDLESS.includes(flag)) needless.push(`-${flag}`);
      else untranslated.push(`-${flag}`);
    }
  }
  if (destination === undefined) throw new NotTranslatable('the command names no host');
  return { destination, options, command, configFile, untranslated, needless };
}

/** Parses `Keyword=value` or `Keyword value` (ssh_config(5)) and removes quotes around the value. */
function parseOption(text: string): SshOption {
  const [, keyword = '', value = ''] = /^\s*([A-Za-z0-9]+)\s*(?:=|\s)\s*(.*?)\s*$/s.exec(text) ?? [];
  if (keyword === '') throw new NotTranslatable('the value of -o is no ssh setting');
  return { keyword: keyword.toLowerCase(), value: value.replace(/^"(.*)"$/, '$1') };
}

/** Splits `[user@]host` or `ssh://[user@]host[:port]`. */
function splitDestination(written: string): { destination: string; options: SshOption[] } {
  const uri = written.startsWith('ssh://');
  const text = uri ? written.slice('ssh://'.length).replace(/\/$/, '') : written;
  const at = text.lastIndexOf('@');
  const user = at === -1 ? [] : [{ keyword: 'user', value: text.slice(0, at) }];
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(uri ? text.slice(at + 1) : '') ?? [];
  const destination = uri ? (bracketed ?? plain ?? text.slice(at + 1)) : text.slice(at + 1);
  const ports = port === undefined ? [] : [{ keyword: 'port', value: port }];
  return { destination, options: [...user, ...ports] };
}
