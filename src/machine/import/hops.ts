import { splitCommand } from '../../config/command-line.ts';
import { first, type SshEntry, type SshOption } from './entry.ts';
import { parseSshArguments } from './ssh-arguments.ts';

/** One jump host, as ProxyJump or ProxyCommand names it. */
export interface Hop {
  readonly destination: string;
  /** Settings of the jump host that the entry itself contains. */
  readonly options: readonly SshOption[];
  /** Whether ssh reads the configuration for the jump host. */
  readonly configured: boolean;
}

/** The jump hosts of an entry, the first hop first. Undefined: the entry connects through a command of another kind. */
export function hopsOf(entry: SshEntry): readonly Hop[] | undefined {
  // ssh_config(5): of ProxyJump and ProxyCommand, the first one wins.
  const chosen = entry.options.find(({ keyword }) => keyword === 'proxyjump' || keyword === 'proxycommand');
  if (chosen === undefined || chosen.value.toLowerCase() === 'none') return [];
  if (chosen.keyword === 'proxycommand') {
    const hop = hopOfCommand(chosen.value, entry);
    return hop && [hop];
  }
  const hops = chosen.value.split(',').map(hopOfText);
  return hops.every((hop) => hop !== undefined) ? hops : undefined;
}

/** `[user@]host[:port]` or `ssh://[user@]host[:port]`. */
function hopOfText(text: string): Hop | undefined {
  const [, user, host, port] =
    /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(\[[^\]]+\]|[^:@\s]+)(?::(\d+))?\/?$/.exec(text.trim()) ?? [];
  if (host === undefined) return undefined;
  const options = [
    ...(user === undefined ? [] : [{ keyword: 'user', value: user }]),
    ...(port === undefined ? [] : [{ keyword: 'port', value: port }]),
  ];
  return { destination: host.replace(/^\[|\]$/g, ''), options, configured: true };
}

/** `ssh -W %h:%p BASTION`, and the older `ssh BASTION nc %h %p`. */
function hopOfCommand(command: string, entry: SshEntry): Hop | undefined {
  const words = splitCommand(command.replace(/^\s*exec\s+/, ''), '~');
  if ('fault' in words) return undefined;
  const [program = '', ...rest] = words;
  if (program.split('/').at(-1) !== 'ssh') return undefined;
  try {
    const { destination, options, command: far, configFile } = parseSshArguments(rest, 'ssh');
    const places = [first({ options }, 'stdioforward'), farPlaceOf(far)].filter((place) => place !== undefined);
    const own = options.filter(({ keyword }) => keyword !== 'stdioforward');
    const isTarget = (place: string) =>
      [`%h:%p`, '[%h]:%p', `${first(entry, 'hostname') ?? entry.destination}:${first(entry, 'port') ?? 22}`].includes(
        place,
      );
    if (places.length !== 1 || !places.every(isTarget)) return undefined;
    return configFile === undefined || configFile === entry.configFile
      ? { destination, options: own, configured: true }
      : { destination, options: own, configured: false };
  } catch {
    return undefined;
  }
}

/** The target of `nc HOST PORT`, also with flags that only bound its time. */
function farPlaceOf(command: readonly string[]): string | undefined {
  const [program = '', ...rest] = command.flatMap((word) => word.split(/\s+/)).filter((word) => word !== 'exec');
  if (program === '') return undefined;
  const [host, port, ...more] = rest
    .join(' ')
    .replace(/(^| )-(w ?\d+|q ?\d+|N)(?= )/g, '')
    .trim()
    .split(' ');
  return /^(?:.*\/)?(nc|ncat|netcat)$/.test(program) && more.length === 0 ? `${host}:${port}` : '';
}
