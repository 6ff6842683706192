import { readYaml } from '../../config/yaml-document.ts';
import { type Fields, isMapping, type Setting, type Settings, settingsOf } from './bridge-settings.ts';
import type { Draft } from './draft.ts';
import { loss, NotTranslatable, note, type Remark, type SshEntry, type SshOption } from './entry.ts';
import { translate } from './translate.ts';

/** The whole file: the keys that are read by name, and any other. */
interface BridgeFile extends Fields {
  readonly tunnels?: unknown;
  readonly defaults?: unknown;
  readonly hosts?: unknown;
  readonly actors?: unknown;
}

const DIRECTIONS: Readonly<Record<string, 'localforward' | 'remoteforward' | 'dynamicforward'>> = {
  local: 'localforward',
  forward: 'localforward',
  remote: 'remoteforward',
  reverse: 'remoteforward',
  dynamic: 'dynamicforward',
  socks: 'dynamicforward',
};

/** The values that YAML 1.1 and people use for "off". */
const OFF = /^(false|no|off|0)$/i;

/**
 * Translates the tunnels.yaml of ops-bridge: `tunnels` (a list or a mapping), with settings of their own or of the named
 * `hosts` and `actors`. Everything of unknown meaning becomes a loss. Pure.
 */
export function translateBridge(text: string, hostname: string, user: string): Draft {
  const { data, mistakes } = readYaml(text);
  const [mistake] = mistakes;
  if (mistake !== undefined) return failed([loss(`line ${mistake.line}: ${mistake.message}.`)], hostname);
  if (!isMapping(data) && !Array.isArray(data)) return failed([loss('The file is no mapping with tunnels.')], hostname);
  const file: BridgeFile = isMapping(data) ? data : { tunnels: data };
  const remarks: Remark[] = Object.keys(file)
    .filter((key) => !['tunnels', 'hosts', 'actors', 'version', 'node', 'defaults'].includes(key))
    .map((key) => loss(`The key ${key} is not translated.`));
  const tunnels = named(file, 'tunnels', remarks);
  const [hosts, actors] = [new Map(named(file, 'hosts', remarks)), new Map(named(file, 'actors', remarks))];
  if (file.defaults !== undefined && !isMapping(file.defaults)) remarks.push(loss('The key defaults is no mapping.'));
  if (tunnels.length === 0) return failed([loss('The file has no tunnels.'), ...remarks], hostname);
  const bridge: Bridge = { defaults: isMapping(file.defaults) ? file.defaults : {}, hosts, actors, user };
  const entries = tunnels.flatMap(([name, fields]) => {
    try {
      return [readTunnel(name, fields, bridge)];
    } catch (error) {
      if (!(error instanceof NotTranslatable)) throw error;
      remarks.push(loss(`Tunnel ${name} is not translated: ${error.message}.`));
      // Such as a key that would have named the port.
      remarks.push(...settingsOf(fields).remarks.map((each) => ({ ...each, text: `tunnel ${name}: ${each.text}` })));
      return [];
    }
  });
  const jumps = new Map([...hosts].map(([name, fields]) => [name, jumpHost(name, settingsOf(fields), user)]));
  const draft = translate(entries, hostname, jumps);
  return { ...draft, remarks: [...remarks, ...draft.remarks] };
}

function isOff({ enabled }: Fields & { readonly enabled?: unknown }): boolean {
  return OFF.test(String(enabled ?? ''));
}

interface Bridge {
  readonly defaults: Fields;
  readonly hosts: ReadonlyMap<string, Fields>;
  readonly actors: ReadonlyMap<string, Fields>;
  readonly user: string;
}

function readTunnel(name: string, fields: Fields, { defaults, hosts, actors, user }: Bridge): SshEntry {
  const [own, usual] = [settingsOf(fields), settingsOf(defaults)];
  const place = { ...mappingOf(defaults, 'host'), ...mappingOf(fields, 'host') };
  const hostName = textOf([own, usual], 'host') ?? textOf([settingsOf(place), own, usual], 'address');
  if (hostName === undefined) throw new NotTranslatable('it names no host');
  const [login, destination, behind] = splitHost(hostName);
  const host = settingsOf(hosts.get(destination) ?? place);
  const identity = mappingOf(fields, 'actor') ?? mappingOf(defaults, 'actor');
  const actorName = textOf([own, usual], 'actor');
  const actor = settingsOf(actors.get(actorName ?? '') ?? identity ?? {});
  // Settings of the tunnel win over those of its host and its actor, and the defaults come last.
  const all = [own, host, actor, usual];
  const listed = all.map(({ values }) => values.get('certCommand')?.value).find((value) => value !== undefined);
  return {
    source: `tunnel ${name}`,
    label: name,
    note: textOf([own], 'note'),
    destination,
    options: [
      ...forwardsOf([own, usual]),
      ...option('hostname', textOf(all, 'address')),
      ...option('user', login),
      ...option('port', behind),
      ...loginOf(all),
    ],
    localUser: user,
    home: undefined,
    configFile: undefined,
    actor: { name: actorName, certCommand: listed },
    remarks: [
      ...(isOff(fields) || isOff(defaults)
        ? [note('The tunnel was not enabled. Leave it out if nobody needs it.')]
        : []),
      ...(own.needless.length === 0 ? [] : [note(`fleet-mesh has its own settings for ${own.needless.join(', ')}.`)]),
      ...all.flatMap((each) => each.remarks),
      ...unusedOf(own),
    ],
  };
}

/** What ssh would know of a jump host. */
function jumpHost(name: string, settings: Settings, user: string): SshEntry {
  return {
    source: `host ${name}`,
    label: name,
    note: undefined,
    destination: name,
    options: [...option('hostname', textOf([settings], 'address')), ...loginOf([settings])],
    localUser: user,
    home: undefined,
    configFile: undefined,
    remarks: settings.remarks,
  };
}

function loginOf(all: readonly Settings[]): SshOption[] {
  return [
    ...option('user', textOf(all, 'user')),
    ...option('port', textOf(all, 'port')),
    ...option('identityfile', textOf(all, 'key')),
    ...option('proxyjump', textOf(all, 'jump')),
  ];
}

function option(keyword: string, value: string | undefined): SshOption[] {
  return value === undefined ? [] : [{ keyword, value }];
}

/** The forwards in the words of ssh. For `reverse` the remote end listens, for `local` the local end. */
function forwardsOf(all: readonly Settings[]): SshOption[] {
  const keyword = directionOf(all);
  const ports = all.map(({ values }) => values.get('ports')?.value).find((value) => value !== undefined);
  if (ports !== undefined) return [ports].flat().map((value) => ({ keyword, value }));
  return [{ keyword, value: forwardOf(all, keyword) }];
}

function forwardOf(all: readonly Settings[], keyword: SshOption['keyword']): string {
  const local = place(textOf(all, 'localHost'), textOf(all, 'localPort'));
  const remote = place(textOf(all, 'remoteHost'), textOf(all, 'remotePort'));
  const reverse = keyword === 'remoteforward';
  const listen = textOf(all, 'listen') ?? (reverse ? remote : local);
  const target = textOf(all, 'target') ?? (reverse ? local : remote);
  if (listen === undefined) throw new NotTranslatable('it names no port to listen on');
  if (keyword === 'dynamicforward') return listen;
  if (target === undefined) throw new NotTranslatable('it names no target');
  return `${listen}:${target.includes(':') ? target : `localhost:${target}`}`;
}

function directionOf(all: readonly Settings[]): 'localforward' | 'remoteforward' | 'dynamicforward' {
  const written = textOf(all, 'direction') ?? 'local';
  const keyword = Object.hasOwn(DIRECTIONS, written.toLowerCase()) ? DIRECTIONS[written.toLowerCase()] : undefined;
  if (keyword === undefined) throw new NotTranslatable(`its direction ${written} is unknown`);
  return keyword;
}

/** Settings of the forward that another setting of the tunnel overrules. */
function unusedOf(own: Settings): Remark[] {
  const { values } = own;
  const direction = directionOf([own]);
  const [here, there]: [Setting[], Setting[]] = [
    ['localPort', 'localHost'],
    ['remotePort', 'remoteHost'],
  ];
  const [listening, targeted] = direction === 'remoteforward' ? [there, here] : [here, there];
  const unused: readonly Setting[] = values.has('ports')
    ? ['listen', 'target', ...here, ...there]
    : [
        ...(values.has('listen') ? listening : []),
        ...(values.has('target') || direction === 'dynamicforward' ? targeted : []),
        ...(direction === 'dynamicforward' ? (['target'] as const) : []),
      ];
  return unused.flatMap((setting) => {
    const key = values.get(setting)?.key;
    return key === undefined ? [] : [loss(`The key ${key} is not translated: other keys of the tunnel decide.`)];
  });
}

function place(host: string | undefined, port: string | undefined): string | undefined {
  if (port === undefined) return undefined;
  if (host === undefined) return port;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The value of the first mapping that has the setting. */
function textOf(all: readonly Settings[], setting: Setting): string | undefined {
  const found = all.map(({ values }) => values.get(setting)?.value).find((value) => value !== undefined);
  return typeof found === 'string' ? found : undefined;
}

/** User, host and port of `[user@]host[:port]`; an address of IPv6 with a port is in brackets. */
function splitHost(text: string): [string | undefined, string, string | undefined] {
  const at = text.lastIndexOf('@');
  const user = at === -1 ? undefined : text.slice(0, at);
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text.slice(at + 1)) ?? [];
  return [user, bracketed ?? plain ?? text.slice(at + 1), port];
}

function failed(remarks: readonly Remark[], hostname: string): Draft {
  return { ...translate([], hostname), remarks };
}

/** A list of mappings with a name each, or a mapping from names to mappings. Anything else is a loss. */
function named(file: BridgeFile, key: 'tunnels' | 'hosts' | 'actors', remarks: Remark[]): [string, Fields][] {
  const { [key]: value } = file;
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object') {
    remarks.push(loss(`The key ${key} is no list and no mapping.`));
    return [];
  }
  const entries = Object.entries(value).map(([name, each]): [string, unknown] => {
    const own = isMapping(each) ? textOf([settingsOf(each)], 'name') : undefined;
    return Array.isArray(value) ? [own ?? `${key.slice(0, -1)}-${Number(name) + 1}`, each] : [name, each];
  });
  return entries.flatMap(([name, each]): [string, Fields][] => {
    if (isMapping(each)) return [[name, each]];
    if (key === 'hosts' && typeof each === 'string') return [[name, { address: each }]];
    remarks.push(loss(`${name} in ${key} is not translated: its value is no mapping.`));
    return [];
  });
}

function mappingOf(fields: Fields, key: 'host' | 'actor'): Fields | undefined {
  const { [key]: value } = fields;
  return isMapping(value) ? value : undefined;
}
