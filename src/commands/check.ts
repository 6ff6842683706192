import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { type MissingFile, missingFiles } from '../config/missing-files.ts';
import { type ConfigEnvironment, outsideOfUnit } from '../config/paths.ts';
import { ConfigError, formatProblem, type Problem } from '../config/problem.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface CheckOptions {
  /** Path of the tunnel YAML. */
  readonly config: string;
  readonly json: boolean;
}

/**
 * `fleet-mesh check`: every problem of the configuration at once, and which files that it names are not there, which alone
 * does not fail. Touches no network.
 */
export async function check(
  options: CheckOptions,
  io: CommandIo,
  env: ConfigEnvironment = process.env,
): Promise<ExitCode> {
  const result = await load(options.config, outsideOfUnit(env));
  const problems = Array.isArray(result) ? result : [];
  const warnings = Array.isArray(result) ? [] : await missingFiles(result);
  if (options.json) io.out(`${JSON.stringify({ ok: problems.length === 0, problems, warnings }, null, 2)}\n`);
  else if (Array.isArray(result)) io.err(describeProblems(result));
  else {
    io.err(warnings.map((warning) => describeWarning(options.config, warning)).join(''));
    io.out(`${describeConfig(options.config, result)}\n`);
  }
  return problems.length === 0 ? EXIT.ok : EXIT.configuration;
}

async function load(path: string, env: ConfigEnvironment): Promise<Config | Problem[]> {
  try {
    return await loadConfig(path, env);
  } catch (error) {
    if (error instanceof ConfigError) return [...error.problems];
    throw error;
  }
}

function describeProblems(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return `${problems.map(formatProblem).join('\n')}\n${count}\n`;
}

function describeWarning(file: string, { path, message }: MissingFile): string {
  return `${file}: warning: ${path}: ${message}\n`;
}

function describeConfig(path: string, { node, tunnels }: Config): string {
  const links = new Set([...tunnels.values()].map(({ host, actor }) => `${host} as ${actor}`));
  const production = [...tunnels.values()].filter((tunnel) => tunnel.production).length;
  const counts =
    tunnels.size === 0
      ? 'no tunnels yet'
      : `${tunnels.size} ${tunnels.size === 1 ? 'tunnel' : 'tunnels'} (${production} production) to ${[...links].join(', ')}`;
  return `${path}: ok, node ${node}, ${counts}`;
}
