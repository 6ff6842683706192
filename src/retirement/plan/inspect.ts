import { isAbsolute, relative } from 'node:path';
import type { Config } from '../../config/config.ts';
import { inFileOrder, readDocument } from '../../config/document.ts';
import { type LocatedConfig, namedPlan, parseLocatedConfig } from '../../config/load.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { ConfigError, type Problem } from '../../config/problem.ts';
import { type LocatedPlan, parsePlan } from './load.ts';
import type { Plan } from './plan.ts';
import { checkPolicy } from './policy/policy.ts';

/** The findings about a tunnel YAML and its plan, without using the network. */
export interface Inspection {
  /** Undefined if the file is invalid. */
  readonly config: Config | undefined;
  /** Undefined if there is no plan, or its file is invalid. */
  readonly plan: Plan | undefined;
  /** Errors: mistakes in either file, and violations of the policy. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Reads both files and checks them against each other. Mistakes in one file do not hide those in the other. With `withPlan`
 * false, reads only the tunnel YAML and checks no policy.
 */
export async function inspect(path: string, env: ConfigEnvironment, now: Date, withPlan: boolean): Promise<Inspection> {
  const problems: Problem[] = [];
  const attempt = async <T>(task: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const bytes = await attempt(() => readDocument(path));
  if (bytes === undefined) return { config: undefined, plan: undefined, problems, warnings: [] };
  const config = await attempt(() => parseLocatedConfig(bytes, path, env));
  if (!withPlan) return { config: config?.config, plan: undefined, problems, warnings: [] };
  const planPath = config === undefined ? namedPlan(bytes, path, env) : config.config.plan;
  const named = planPath === undefined ? undefined : asNamed(planPath, path);
  const plan = named === undefined ? undefined : await attempt(async () => parsePlan(await readDocument(named), named));
  // The policy compares both files: with one of them missing it would report false errors.
  const isWhole = config !== undefined && (planPath === undefined || plan !== undefined);
  const found = isWhole ? judge(config, plan, now) : { errors: [], warnings: [] };
  return {
    config: config?.config,
    plan: plan?.plan,
    problems: [...problems, ...found.errors],
    warnings: found.warnings,
  };
}

function judge(config: LocatedConfig, plan: LocatedPlan | undefined, now: Date) {
  const located = checkPolicy(config.config, plan?.plan, now).flatMap((finding) => {
    const problem = finding.file === 'config' ? config.locate(finding) : plan?.locate(finding);
    return problem === undefined ? [] : [{ ...finding, problem }];
  });
  const of = (wanted: 'error' | 'warning') =>
    (['config', 'plan'] as const).flatMap((file) =>
      inFileOrder(
        located
          .filter(({ severity, ...finding }) => severity === wanted && finding.file === file)
          .map(({ problem }) => problem),
      ),
    );
  return { errors: of('error'), warnings: of('warning') };
}

/** The path of the plan for messages: relative if the user named the tunnel YAML by a relative path. */
function asNamed(planPath: string, configPath: string): string {
  return isAbsolute(configPath) ? planPath : relative(process.cwd(), planPath);
}
