import { loss, type Remark } from './entry.ts';

/** A mapping of the file. */
export type Fields = Readonly<Record<string, unknown>>;

/** The names of each setting: the predecessor has no published format, so each setting has the names in use. */
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
  ports: ['ports', 'forward', 'spec'],
  listen: ['listen', 'bind'],
  target: ['target', 'to', 'forward_to'],
  localPort: ['local_port'],
  localHost: ['local_host', 'local_address', 'local_bind', 'bind_address'],
  remotePort: ['remote_port', 'target_port'],
  remoteHost: ['remote_host', 'remote_address', 'target_host'],
  note: ['note', 'description', 'comment'],
  jump: ['jump', 'proxy_jump', 'proxyjump'],
} as const;

export type Setting = keyof typeof KEYS;

const SETTINGS = new Map(
  Object.entries(KEYS).flatMap(([setting, keys]) => keys.map((key) => [key as string, setting as Setting] as const)),
);

/** Settings of the predecessor's own business: restart, health, on and off. */
const NEEDLESS = new Set(
  'enabled autostart auto_start restart reconnect retry retries backoff keepalive timeout tags labels health health_check healthcheck'.split(
    ' ',
  ),
);

/** The settings of one mapping, and remarks on each key that is none of them. */
export interface Settings {
  /** The values, and the keys that name them in the file. */
  readonly values: ReadonlyMap<Setting, { readonly key: string; readonly value: string | readonly string[] }>;
  readonly needless: readonly string[];
  readonly remarks: readonly Remark[];
}

/**
 * Reads the settings of a mapping. A key of unknown meaning, a value of another type, and a second value for the same setting are
 * losses. Mappings under `host` and `actor` are left to the caller. Pure.
 */
export function settingsOf(fields: Fields): Settings {
  const values = new Map<Setting, { key: string; value: string | readonly string[] }>();
  const remarks: Remark[] = [];
  for (const [key, value] of Object.entries(fields).flatMap(settingsWithin)) {
    const setting = SETTINGS.get(key);
    if (setting === undefined) {
      if (!NEEDLESS.has(key)) remarks.push(loss(`The key ${key} is not translated.`));
      continue;
    }
    // YAML's way to leave a key out.
    if (value === null || (isMapping(value) && (key === 'host' || key === 'actor'))) continue;
    const read = acceptedValue(setting, value);
    const earlier = values.get(setting);
    if (read === undefined) remarks.push(loss(`The key ${key} is not translated: its value is no text and no number.`));
    else if (earlier === undefined) values.set(setting, { key, value: read });
    else if (String(earlier.value) !== String(read))
      remarks.push(loss(`The key ${key} is not translated: ${earlier.key} has another value.`));
  }
  return { values, needless: Object.keys(fields).filter((key) => NEEDLESS.has(key)), remarks };
}

function acceptedValue(setting: Setting, value: unknown): string | readonly string[] | undefined {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (setting === 'ports' && value.every((each) => typeof each === 'string' || typeof each === 'number'))
    return value.map(String);
  return setting === 'certCommand' && value.every((word) => typeof word === 'string') ? value : undefined;
}

/** `ports: { local: 1, remote: 2 }` says the same as two keys of the tunnel. */
function settingsWithin([key, value]: [string, unknown]): [string, unknown][] {
  if (key !== 'ports' || !isMapping(value)) return [[key, value]];
  const inner = Object.entries(value);
  const known = inner.length > 0 && inner.every(([end]) => end === 'local' || end === 'remote');
  return known ? inner.map(([end, port]) => [`${end}_port`, port]) : [[key, value]];
}

export function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
