import { isUtf8 } from 'node:buffer';
import { resolve } from 'node:path';
import { checkCommands } from './check/commands.ts';
import { checkFiles } from './check/files.ts';
import { checkJumps } from './check/jumps.ts';
import { checkListeners } from './check/listeners.ts';
import { checkNames } from './check/names.ts';
import { checkSuccessors } from './check/successors.ts';
import { checkTunnels } from './check/tunnels.ts';
import type { Config } from './config.ts';
import { type DocumentKind, type ParsedDocument, parseDocument, readDocument } from './document.ts';
import { outlineOf } from './outline.ts';
import { type Outcome, outcomeOf, parseAside } from './parse-aside.ts';
import { absolutePath, type ConfigEnvironment, type Places, placesFor } from './paths.ts';
import type { Finding } from './problem.ts';
import { resolveConfig } from './resolve.ts';
import { configJsonSchema, configSchema, type ParsedConfig } from './schema.ts';
import { readYaml } from './yaml-document.ts';

/** A configuration, with the positions in its file. */
export type LocatedConfig = { readonly config: Config } & Pick<ParsedDocument<unknown>, 'locate'>;

/** Reads the tunnel YAML at `path`, or throws a ConfigError with all problems. */
export async function loadConfig(path: string, env: ConfigEnvironment): Promise<Config> {
  return parseAside(import.meta.url, parseOutcome, await readDocument(path), path, { ...env });
}

/** {@link parseConfig} with an outcome that can be copied. */
export function parseOutcome(bytes: Uint8Array, path: string, env: ConfigEnvironment): Outcome<Config> {
  return outcomeOf(() => parseConfig(Buffer.from(bytes), path, env));
}

/** {@link loadConfig} for bytes in memory. `path` is only for messages and as the base of relative paths. */
export function parseConfig(bytes: Buffer, path: string, env: ConfigEnvironment): Config {
  return parseLocatedConfig(bytes, path, env).config;
}

/** {@link parseConfig} for callers that report more findings about the file. */
export function parseLocatedConfig(bytes: Buffer, path: string, env: ConfigEnvironment): LocatedConfig {
  const places = placesFor(path, env);
  const { parsed, sha256, locate } = parseDocument(bytes, path, kindFor(places));
  return { config: resolveConfig(parsed, { path: resolve(path), sha256 }, places), locate };
}

/** The absolute path of the plan in a tunnel YAML, even if the YAML has mistakes; undefined without a plan. */
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

/** The checks across fields, on all well-typed parts. */
function checkAcross(data: unknown, places: Places): Finding[] {
  const outline = outlineOf(data);
  return [
    ...checkNames(outline),
    ...checkJumps(outline),
    ...checkListeners(outline),
    ...checkSuccessors(outline),
    ...checkTunnels(outline),
    ...checkFiles(outline, places),
    ...checkCommands(outline, places),
  ];
}
