import { isUtf8 } from 'node:buffer';
import { resolve } from 'node:path';
import { checkCommands } from './check/commands.ts';
import { checkFiles } from './check/files.ts';
import { checkJumps } from './check/jumps.ts';
import { checkListeners } from './check/listeners.ts';
import { checkNames } from './check/names.ts';
import { checkTunnels } from './check/tunnels.ts';
import type { Config } from './config.ts';
import { type DocumentKind, type ParsedDocument, parseDocument, readDocument } from './document.ts';
import { outlineOf } from './outline.ts';
import { absolutePath, type ConfigEnvironment, type Places, placesFor } from './paths.ts';
import type { Finding } from './problem.ts';
import { resolveConfig } from './resolve.ts';
import { configJsonSchema, configSchema, type ParsedConfig } from './schema.ts';
import { readYaml } from './yaml-document.ts';

/** A configuration, and where in its file things are. */
export type LocatedConfig = { readonly config: Config } & Pick<ParsedDocument<unknown>, 'locate'>;

/** Reads the tunnel YAML at `path`, or throws a ConfigError that carries everything that is wrong with it. */
export async function loadConfig(path: string, env: ConfigEnvironment): Promise<Config> {
  return parseConfig(await readDocument(path), path, env);
}

/** {@link loadConfig} for bytes that were read already; `path` is only a name here, and what relative paths start from. */
export function parseConfig(bytes: Buffer, path: string, env: ConfigEnvironment): Config {
  return parseLocatedConfig(bytes, path, env).config;
}

/** {@link parseConfig} for those who have more to say about the file. */
export function parseLocatedConfig(bytes: Buffer, path: string, env: ConfigEnvironment): LocatedConfig {
  const places = placesFor(path, env);
  const { parsed, sha256, locate } = parseDocument(bytes, path, kindFor(places));
  return { config: resolveConfig(parsed, { path: resolve(path), sha256 }, places), locate };
}

/** The plan that a tunnel YAML names, whatever else is wrong with it: absolute; undefined when it names none. */
export function namedPlan(bytes: Buffer, path: string, env: ConfigEnvironment): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const { plan } = outlineOf(readYaml(new TextDecoder().decode(bytes)).data);
  return absolutePath(plan, placesFor(path, env));
}

function kindFor(places: Places): DocumentKind<ParsedConfig> {
  return {
    schema: configSchema,
    jsonSchema: configJsonSchema,
    parts: 'version, node, hosts, actors and tunnels',
    checkAcross: (data) => checkAcross(data, places),
  };
}

/** What concerns several fields at once; works on whatever parts are well-typed. */
function checkAcross(data: unknown, places: Places): Finding[] {
  const outline = outlineOf(data);
  return [
    ...checkNames(outline),
    ...checkJumps(outline),
    ...checkListeners(outline),
    ...checkTunnels(outline),
    ...checkFiles(outline, places),
    ...checkCommands(outline, places),
  ];
}
