import { readDocument } from '../../config/document.ts';
import { namedPlan, parseConfig } from '../../config/load.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { ConfigError } from '../../config/problem.ts';
import type { DrainingTunnel } from './view.ts';

/** The plan that a tunnel YAML names, and the tunnels that its steps retire. */
export interface FoundPlan {
  readonly path: string | undefined;
  /** Undefined if the tunnel YAML is invalid. */
  readonly tunnels: readonly DrainingTunnel[] | undefined;
}

/** Finds the plan of a tunnel YAML, even of one with mistakes. Rejects with a ConfigError if the file cannot be read. */
export async function findPlan(configPath: string, env: ConfigEnvironment): Promise<FoundPlan> {
  const bytes = await readDocument(configPath);
  try {
    const { plan, tunnels } = parseConfig(bytes, configPath, env);
    return { path: plan, tunnels: [...tunnels.values()] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { path: namedPlan(bytes, configPath, env), tunnels: undefined };
  }
}
