import { isAbsolute, relative } from 'node:path';
import type { Config } from '../../config/config.ts';
import { inFileOrder, readDocument } from '../../config/document.ts';
import { type LocatedConfig, namedPlan, parseLocatedConfig } from '../../config/load.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { ConfigError, type Problem } from '../../config/problem.ts';
import { type LocatedPlan, parsePlan } from './load.ts';
import type { Plan } from './plan.ts';
import { checkPolicy } from './policy/policy.ts';

/** Everything that can be said of a tunnel YAML and of the plan that it names, without touching a network. */
export interface Inspection {
  /** Undefined when its file cannot be used. */
  readonly config: Config | undefined;
  /** Undefined when there is none, or its file cannot be used. */
  readonly plan: Plan | undefined;
  /** What must not be: mistakes of either file, and what is against the policy. */
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Reads both files and holds them against each other. A mistake in one does not hide those of the other. Without the plan, the
 * tunnel YAML alone is read, and no policy is asked.
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
  // The policy is about what both say together: half of it would accuse the other half.
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

/** The plan as its user would name it: relative where the tunnel YAML was named so. */
function asNamed(planPath: string, configPath: string): string {
  return isAbsolute(configPath) ? planPath : relative(process.cwd(), planPath);
}
