import { accessSync, constants, existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KEYS_OF_THE_UNIT } from '../base/files/permission-hint.ts';
import type { ActorConfig, CertCommandConfig, Config, HostConfig, KeySource } from './config.ts';
import { CREDENTIALS_OF_THE_UNIT } from './paths.ts';

/** The file that the system unit loads as the credential; undefined: a drop-in may load the credential from anywhere. Pure. */
export function sourceOfCredential(name: string, keys = KEYS_OF_THE_UNIT): string | undefined {
  const [, file] = /^key_(.+)$/.exec(name) ?? [];
  return file === undefined ? undefined : join(keys, file);
}

/**
 * For a check outside the unit: each credential that the unit does not have now is the readable file that the unit loads
 * at its next start. Other credentials stay as they are.
 */
export function withCredentialSources(config: Config, keys = KEYS_OF_THE_UNIT): Config {
  const at = (path: string) => sourceFor(path, keys) ?? path;
  const key = <K extends KeySource>(source: K): K =>
    source.kind === 'file' ? { ...source, ...located(source, at) } : source;
  const command = (written: CertCommandConfig): CertCommandConfig => {
    const [program, ...rest] = written.argv;
    return { ...written, argv: [program, ...rest.map(at)] };
  };
  const host = (each: HostConfig): HostConfig => ({ ...each, knownHosts: at(each.knownHosts) });
  const actor = (each: ActorConfig): ActorConfig => ({
    ...each,
    key: key(each.key),
    certCommand: each.certCommand && command(each.certCommand),
    fallback: each.fallback && { ...each.fallback, key: key(each.fallback.key) },
  });
  return { ...config, hosts: mapped(config.hosts, host), actors: mapped(config.actors, actor) };
}

type KeyFile = Extract<KeySource, { kind: 'file' }>;

function located({ path, passphraseFile }: KeyFile, at: (path: string) => string): Omit<KeyFile, 'kind'> {
  const source = at(path);
  return {
    path: source,
    passphraseFile: passphraseFile && at(passphraseFile),
    ...(source !== path && { futureCredential: basename(path) }),
  };
}

function sourceFor(path: string, keys: string): string | undefined {
  if (dirname(path) !== CREDENTIALS_OF_THE_UNIT || existsSync(path)) return undefined;
  const source = sourceOfCredential(basename(path), keys);
  return source !== undefined && isReadable(source) ? source : undefined;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function mapped<V>(map: ReadonlyMap<string, V>, change: (value: V) => V): ReadonlyMap<string, V> {
  return new Map([...map].map(([name, value]) => [name, change(value)]));
}
