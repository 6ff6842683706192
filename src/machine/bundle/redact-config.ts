const REDACTED = '[redacted]';

/** A shorter secret would be replaced in the middle of other words. */
const SHORTEST = 6;

/** Strings under these keys are names, places and settings, which a bug report needs. Everything else is hidden. */
const SHOWN = new Set([
  ...['node', 'listen', 'socket', 'state_dir', 'plan', 'stop_grace', 'level', 'format', 'events', 'secret_file'],
  ...['address', 'user', 'role', 'known_hosts', 'every', 'connect_timeout', 'jump', 'host', 'actor'],
  ...[
    'key',
    'passphrase_file',
    'cert_timeout',
    'ca_fingerprints',
    'principals',
    'drain_timeout',
    'on_expiry',
    'exception',
  ],
  ...['direction', 'target', 'allow', 'note', 'while_down', 'hold', 'timeout', 'server_name', 'ca'],
  ...['step', 'quiet_for', 'healthy_for', 'verify_for', 'fields'],
]);

/** The value of the tunnel YAML for a bug report, and what was hidden in it. */
export interface RedactedConfig {
  readonly shown: unknown;
  /** Hidden strings; other files of the report must not have them either. */
  readonly secrets: readonly string[];
}

/** Hides every string that is not known to be harmless. Comments are gone already: they are no part of the value. Pure. */
export function redactConfig(data: unknown): RedactedConfig {
  const secrets: string[] = [];
  /** A name is no secret, even if an argument of cert_command repeats the name. */
  const open = new Set<string>();
  const hide = (text: string) => {
    secrets.push(text);
    return REDACTED;
  };
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return key === 'cert_command' ? words(value) : value.map((each) => walk(each, key));
    if (typeof value === 'object' && value !== null) {
      // The expected answer of a probe may have any keys.
      if (key === 'json') return REDACTED;
      for (const name of Object.keys(value)) open.add(name);
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, walk(each, name)]));
    }
    if (typeof value !== 'string') return value;
    if (SHOWN.has(key)) {
      open.add(value);
      return value;
    }
    if (key === 'cert_command') return words(value.trim().split(/\s+/)).join(' ');
    if (key === 'path') return value.replace(/\?.*$/s, (query) => `?${hide(query.slice(1))}`);
    return hide(value);
  };
  /** The program helps; its arguments may have a token. */
  const words = (list: readonly unknown[]) =>
    list.map((word, index) =>
      index === 0 || word === '{pubkey}' ? word : typeof word === 'string' ? hide(word) : REDACTED,
    );
  const shown = walk(data, '');
  return { shown, secrets: secrets.filter((secret) => !open.has(secret)) };
}

/** Hides these secrets in any text, also as they are written in JSON. Pure. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  const whole = [...new Set(forms)].filter(({ length }) => length >= SHORTEST);
  // The longest first: one secret may be a part of another.
  return whole.sort((a, b) => b.length - a.length).reduce((rest, secret) => rest.replaceAll(secret, REDACTED), text);
}
