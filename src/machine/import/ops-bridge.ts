import { readYaml } from '../../config/yaml-document.ts';
import type { Draft } from './draft.ts';
import { loss, NotTranslatable, note, type Remark, type SshEntry, type SshOption } from './entry.ts';
import { translate } from './translate.ts';

/** A mapping of the file: the keys that are read by name, and any other. */
interface Fields {
  readonly [key: string]: unknown;
  readonly tunnels?: unknown;
  readonly defaults?: unknown;
  readonly hosts?: unknown;
  readonly actors?: unknown;
  readonly host?: unknown;
  readonly actor?: unknown;
  readonly cert_command?: unknown;
  readonly enabled?: unknown;
  readonly ports?: unknown;
  readonly forward?: unknown;
  readonly spec?: unknown;
}

/** The keys of a setting; the predecessor has no published format, so each setting has the names in use. */
const KEYS = {
  name: ['name', 'id'],
  host: ['host', 'ssh_host', 'remote', 'server', 'destination', 'via'],
  address: ['address', 'hostname', 'host_name', 'ip'],
  user: ['user', 'ssh_user', 'username', 'login'],
  port: ['port', 'ssh_port'],
  key: ['key', 'ssh_key', 'identity', 'identity_file', 'key_file', 'key_path'],
  certCommand: ['cert_command'],
  actor: ['actor'],
  direction: ['direction', 'type', 'mode'],
  listen: ['listen', 'bind'],
  target: ['target', 'to', 'forward_to'],
  localPort: ['local_port'],
  localHost: ['local_host', 'local_address', 'local_bind', 'bind_address'],
  remotePort: ['remote_port', 'target_port'],
  remoteHost: ['remote_host', 'remote_address', 'target_host'],
  note: ['note', 'description', 'comment'],
  jump: ['jump', 'proxy_jump', 'proxyjump'],
} as const;

/** Settings of the predecessor's own business: restart, health, on and off. */
const NEEDLESS = new Set(
  'enabled autostart auto_start restart reconnect retry retries backoff keepalive timeout tags labels health health_check healthcheck'.split(
    ' ',
  ),
);

const DIRECTIONS: Readonly<Record<string, 'localforward' | 'remoteforward' | 'dynamicforward'>> = {
  local: 'localforward',
  forward: 'localforward',
  remote: 'remoteforward',
  reverse: 'remoteforward',
  dynamic: 'dynamicforward',
  socks: 'dynamicforward',
};

/**
 * Translates the tunnels.yaml of ops-bridge: `tunnels` (a list or a mapping), with settings of their own or of the named
 * `hosts` and `actors`. A key of unknown meaning becomes a loss. Pure.
 */
export function translateBridge(text: string, hostname: string, user: string): Draft {
  const { data, mistakes } = readYaml(text);
  const [mistake] = mistakes;
  if (mistake !== undefined) return failed(`line ${mistake.line}: ${mistake.message}.`, hostname);
  if (!isMapping(data)) return failed('The file is no mapping with tunnels.', hostname);
  const tunnels = named(data.tunnels);
  if (tunnels.length === 0) return failed('The file has no tunnels.', hostname);
  const remarks: Remark[] = Object.keys(data)
    .filter((key) => !['tunnels', 'hosts', 'actors', 'version', 'node', 'defaults'].includes(key))
    .map((key) => loss(`The key ${key} is not translated.`));
  const defaults = isMapping(data.defaults) ? data.defaults : {};
  const lists = { hosts: named(data.hosts), actors: named(data.actors) };
  const entries = tunnels.flatMap(([name, fields]) => {
    try {
      return [readTunnel(name, { ...defaults, ...fields }, lists, user)];
    } catch (error) {
      if (!(error instanceof NotTranslatable)) throw error;
      remarks.push(loss(`Tunnel ${name} is not translated: ${error.message}.`));
      return [];
    }
  });
  const draft = translate(entries, hostname);
  return { ...draft, remarks: [...remarks, ...draft.remarks] };
}

interface Lists {
  readonly hosts: readonly [string, Fields][];
  readonly actors: readonly [string, Fields][];
}

function readTunnel(name: string, fields: Fields, lists: Lists, user: string): SshEntry {
  const hostName = textOf(fields, 'host') ?? textOf(fields, 'address');
  if (hostName === undefined) throw new NotTranslatable('it names no host');
  const [login, destination] = splitUser(hostName);
  const host = lists.hosts.find(([each]) => each === destination)?.[1] ?? mappingOf(fields.host) ?? {};
  const actorName = textOf(fields, 'actor');
  const actor = lists.actors.find(([each]) => each === actorName)?.[1] ?? mappingOf(fields.actor) ?? {};
  // Settings of the tunnel win over those of its host and its actor.
  const all = { ...actor, ...host, ...fields };
  const certCommand = commandOf(fields.cert_command ?? actor.cert_command);
  const unknown = [...new Set([fields, host, actor].flatMap((each) => Object.keys(each)))].filter(
    (key) => !KNOWN.has(key) && !NEEDLESS.has(key),
  );
  const needless = Object.keys(fields).filter((key) => NEEDLESS.has(key));
  const disabled =
    fields.enabled === false ? [note('The tunnel was not enabled. Leave it out if nobody needs it.')] : [];
  const option = (keyword: string, value: string | undefined): SshOption[] =>
    value === undefined ? [] : [{ keyword, value }];
  return {
    source: `tunnel ${name}`,
    label: name,
    note: textOf(fields, 'note'),
    destination,
    options: [
      forwardOf(fields),
      ...option('hostname', textOf(all, 'address')),
      ...option('user', login ?? textOf(all, 'user')),
      ...option('port', textOf(all, 'port')),
      ...option('identityfile', textOf(all, 'key')),
      ...option('proxyjump', textOf(all, 'jump')),
    ],
    localUser: user,
    home: undefined,
    configFile: undefined,
    actor: { name: actorName, certCommand },
    remarks: [
      ...disabled,
      ...(needless.length === 0 ? [] : [note(`fleet-mesh has its own settings for ${needless.join(', ')}.`)]),
      ...unknown.map((key) => loss(`The key ${key} is not translated.`)),
    ],
  };
}

/** The forward in the words of ssh. For `reverse` the remote end listens, for `local` the local end. */
function forwardOf(fields: Fields): SshOption {
  const written = textOf(fields, 'direction') ?? 'local';
  const keyword = Object.hasOwn(DIRECTIONS, written.toLowerCase()) ? DIRECTIONS[written.toLowerCase()] : undefined;
  if (keyword === undefined) throw new NotTranslatable(`its direction ${written} is unknown`);
  const ports = textOf({ ports: fields.ports ?? fields.forward ?? fields.spec }, 'ports');
  if (ports !== undefined) return { keyword, value: ports };
  const local = place(textOf(fields, 'localHost'), textOf(fields, 'localPort'));
  const remote = place(textOf(fields, 'remoteHost'), textOf(fields, 'remotePort'));
  const reverse = keyword === 'remoteforward';
  const listen = textOf(fields, 'listen') ?? (reverse ? remote : local);
  const target = textOf(fields, 'target') ?? (reverse ? local : remote);
  if (listen === undefined) throw new NotTranslatable('it names no port to listen on');
  if (keyword === 'dynamicforward') return { keyword, value: listen };
  if (target === undefined) throw new NotTranslatable('it names no target');
  return { keyword, value: `${listen}:${target.includes(':') ? target : `localhost:${target}`}` };
}

function place(host: string | undefined, port: string | undefined): string | undefined {
  if (port === undefined) return undefined;
  if (host === undefined) return port;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const KNOWN = new Set<string>([...Object.values(KEYS).flat(), 'ports', 'forward', 'spec']);

function textOf(fields: Fields, setting: keyof typeof KEYS | 'ports'): string | undefined {
  const keys: readonly string[] = setting === 'ports' ? ['ports'] : KEYS[setting];
  const value = keys.map((key) => fields[key]).find((each) => typeof each === 'string' || typeof each === 'number');
  return value === undefined ? undefined : String(value);
}

function commandOf(value: unknown): string | readonly string[] | undefined {
  if (Array.isArray(value) && value.every((word) => typeof word === 'string')) return value;
  return typeof value === 'string' ? value : undefined;
}

function splitUser(text: string): [string | undefined, string] {
  const at = text.lastIndexOf('@');
  return at === -1 ? [undefined, text] : [text.slice(0, at), text.slice(at + 1)];
}

function failed(text: string, hostname: string): Draft {
  return { ...translate([], hostname), remarks: [loss(text)] };
}

/** A list of mappings with a name each, or a mapping from names to mappings. */
function named(value: unknown): [string, Fields][] {
  if (Array.isArray(value)) {
    return value.filter(isMapping).map((each, index) => [textOf(each, 'name') ?? `tunnel-${index + 1}`, each]);
  }
  return Object.entries(mappingOf(value) ?? {}).flatMap(([name, each]): [string, Fields][] =>
    isMapping(each) ? [[name, each]] : [],
  );
}

function mappingOf(value: unknown): Fields | undefined {
  return isMapping(value) ? value : undefined;
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
