import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { checkCommands } from './check-commands.ts';
import { checkFiles } from './check-files.ts';
import { checkJumps } from './check-jumps.ts';
import { checkListeners } from './check-listeners.ts';
import { checkNames } from './check-names.ts';
import { checkTunnels } from './check-tunnels.ts';
import type { Config } from './config.ts';
import { findingsOf } from './issues.ts';
import { checkNotYet } from './not-yet.ts';
import { outlineOf } from './outline.ts';
import { type ConfigEnvironment, type Places, placesFor } from './paths.ts';
import { ConfigError, type Finding, formatPath, type Problem } from './problem.ts';
import { readSource } from './read-source.ts';
import { resolveConfig } from './resolve.ts';
import { configSchema } from './schema.ts';
import { readYaml } from './yaml-document.ts';

/** Nobody mends more than this in one go: what has more is not a tunnel YAML. */
const MOST_LISTED = 200;

/** Reads the tunnel YAML at `path`, or throws a {@link ConfigError} that carries everything that is wrong with it. */
export async function loadConfig(path: string, env: ConfigEnvironment): Promise<Config> {
  const source = await readSource(path);
  if (typeof source === 'string') throw wholeFileError(path, source);
  return parseConfig(source, path, env);
}

/** {@link loadConfig} for bytes that were read already; `path` is only a name here, and what relative paths start from. */
export function parseConfig(bytes: Buffer, path: string, env: ConfigEnvironment): Config {
  if (!isUtf8(bytes)) throw wholeFileError(path, 'is not UTF-8 text; expected a YAML file in UTF-8');
  const yaml = readYaml(new TextDecoder().decode(bytes));
  const problems: Problem[] = yaml.mistakes.map(({ line, column, path: at, message }) => ({
    file: path,
    line,
    column,
    path: formatPath(at),
    message,
  }));
  if (yaml.data === undefined) throw configError(problems);
  if (yaml.data === null) throw wholeFileError(path, 'is empty; expected version, node, hosts, actors and tunnels');

  const places = placesFor(path, env);
  const parsed = configSchema.safeParse(yaml.data);
  const findings = [
    ...(parsed.success ? [] : findingsOf(parsed.error.issues, yaml.data)),
    ...checkAcross(yaml.data, places),
  ];
  for (const { path: at, message, at: pointsAt } of findings.slice(0, MOST_LISTED)) {
    problems.push({ file: path, ...yaml.locate(at, pointsAt), path: formatPath(at), message });
  }
  const unlisted = findings.length - MOST_LISTED;
  if (unlisted > 0) problems.push(wholeFile(path, `${unlisted} more problems are not listed`));
  if (!parsed.success || problems.length > 0) throw configError(problems);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return resolveConfig(parsed.data, { path: resolve(path), sha256 }, places);
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
    ...checkCommands(outline),
    ...checkNotYet(data),
  ];
}

function configError(problems: readonly Problem[]): ConfigError {
  const first = new Map(problems.map((problem) => [`${problem.path}\n${problem.message}\n${problem.line}`, problem]));
  return new ConfigError([...first.values()].sort((a, b) => a.line - b.line || a.column - b.column));
}

function wholeFileError(file: string, message: string): ConfigError {
  return new ConfigError([wholeFile(file, message)]);
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, path: '', message };
}
