import { readDocument } from '../../config/document.ts';
import { namedPlan, parseConfig } from '../../config/load.ts';
import type { ConfigEnvironment } from '../../config/paths.ts';
import { ConfigError } from '../../config/problem.ts';
import type { DrainingTunnel } from './view.ts';

/** The plan that a tunnel YAML names, and the tunnels that hang on its steps. */
export interface FoundPlan {
  readonly path: string | undefined;
  /** Undefined when the tunnel YAML cannot be used: then nobody knows. */
  readonly tunnels: readonly DrainingTunnel[] | undefined;
}

/** A tunnel YAML with mistakes still names its plan. Rejects with a ConfigError when there is no such file. */
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
