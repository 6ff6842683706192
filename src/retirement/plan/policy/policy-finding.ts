import type { Finding } from '../../../config/problem.ts';
import type { AdvisoryCode } from '../../../telemetry/status/advisory.ts';

/** Something that the fleet's policy has to say of a node's configuration or of the plan. */
export interface PolicyFinding extends Finding {
  /** Which file it is about. */
  readonly file: 'config' | 'plan';
  /** `error`: `check` fails. `warning`: it says so. `notice`: documented and in order, but not for ever. */
  readonly severity: 'error' | 'warning' | 'notice';
  readonly code: AdvisoryCode;
}
