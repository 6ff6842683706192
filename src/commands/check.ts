import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { ConfigEnvironment } from '../config/paths.ts';
import { ConfigError, formatProblem, type Problem } from '../config/problem.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface CheckOptions {
  /** Path of the tunnel YAML. */
  readonly config: string;
  readonly json: boolean;
}

/** `fleet-mesh check`: every problem of the configuration at once. Touches no network. */
export async function check(
  options: CheckOptions,
  io: CommandIo,
  env: ConfigEnvironment = process.env,
): Promise<ExitCode> {
  const result = await load(options.config, env);
  const problems = Array.isArray(result) ? result : [];
  if (options.json) io.out(`${JSON.stringify({ ok: problems.length === 0, problems }, null, 2)}\n`);
  else if (Array.isArray(result)) io.err(describeProblems(result));
  else io.out(`${describeConfig(options.config, result)}\n`);
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

function describeConfig(path: string, { node, tunnels }: Config): string {
  const links = new Set([...tunnels.values()].map(({ host, actor }) => `${host} as ${actor}`));
  const production = [...tunnels.values()].filter((tunnel) => tunnel.production).length;
  const counts =
    tunnels.size === 0
      ? 'no tunnels yet'
      : `${tunnels.size} ${tunnels.size === 1 ? 'tunnel' : 'tunnels'} (${production} production) to ${[...links].join(', ')}`;
  return `${path}: ok, node ${node}, ${counts}`;
}
