import type { Finding } from '../../../config/problem.ts';
import type { AdvisoryCode } from '../../../telemetry/status/advisory.ts';

/** A finding of the fleet's policy about a node's configuration or the plan. */
export interface PolicyFinding extends Finding {
  /** The file of the finding. */
  readonly file: 'config' | 'plan';
  /** `error`: `check` fails. `warning`: `check` reports it. `notice`: allowed for now by an exception. */
  readonly severity: 'error' | 'warning' | 'notice';
  readonly code: AdvisoryCode;
  /** The subject of the advisory, if the message changes while the finding stays. */
  readonly subject?: string;
}
