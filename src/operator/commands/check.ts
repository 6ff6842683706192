import type { Config } from '../../config/config.ts';
import { type FileWarning, missingFiles } from '../../config/missing-files.ts';
import { type ConfigEnvironment, outsideOfUnit } from '../../config/paths.ts';
import { type Problem, showProblem } from '../../config/problem.ts';
import { asOf } from '../../retirement/plan/as-of.ts';
import { inspect } from '../../retirement/plan/inspect.ts';
import type { Plan } from '../../retirement/plan/plan.ts';
import { isWaveComplete } from '../../retirement/plan/progress.ts';
import { refusedFiles } from '../../tunnels/link/refused-files.ts';
import { type CommandIo, EXIT, type ExitCode } from './command.ts';

export interface CheckOptions {
  /** Path of the tunnel YAML. */
  readonly config: string;
  readonly json: boolean;
  /** False: skip the plan and the policy. Check only the parts that the daemon needs to start. */
  readonly plan?: boolean | undefined;
}

/**
 * `fleet-mesh check`: lists every problem of the configuration, the plan and the policy. Warnings about files and about
 * the policy alone do not fail the check. Uses no network.
 */
export async function check(
  options: CheckOptions,
  io: CommandIo,
  env: ConfigEnvironment = process.env,
  now: Date = new Date(),
): Promise<ExitCode> {
  const { config, plan, problems, warnings } = await inspect(
    options.config,
    outsideOfUnit(env),
    now,
    options.plan ?? true,
  );
  const ok = problems.length === 0;
  const files = config === undefined ? [] : [...(await missingFiles(config)), ...(await refusedFiles(config))];
  if (options.json) {
    io.out(`${JSON.stringify({ ok, problems, warnings: [...files, ...warnings] }, null, 2)}\n`);
  } else {
    io.err(files.map((warning) => describeFile(options.config, warning)).join(''));
    io.err(warnings.map(describeWarning).join(''));
    if (!ok) io.err(describeProblems(problems));
    else if (config !== undefined)
      io.out(`${describeConfig(options.config, config)}${describePlan(plan && asOf(plan, now))}\n`);
  }
  return ok ? EXIT.ok : EXIT.configuration;
}

function describeProblems(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return `${problems.map(showProblem).join('\n')}\n${count}\n`;
}

function describeFile(file: string, { path, message }: FileWarning): string {
  return `${file}: warning: ${path}: ${message}\n`;
}

function describeWarning({ file, line, column, path, message }: Problem): string {
  return `${file}:${line}:${column}: warning: ${path}: ${message}\n`;
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

function describePlan(plan: Plan | undefined): string {
  if (plan === undefined) return '';
  const complete = plan.waves.filter(({ id }) => isWaveComplete(plan, id)).length;
  return `; plan: ${complete} of ${plan.waves.length} waves complete`;
}
