import { type ErrorReport, TunnelError } from '../../base/errors.ts';

/** The steps of a check, in their order. `credential` and `known hosts` use no network. */
export type StepName =
  | 'jump'
  | 'dns'
  | 'tcp'
  | 'banner'
  | 'known hosts'
  | 'credential'
  | 'host key'
  | 'authentication'
  | 'listen'
  | 'forward'
  | 'target';

/** One line of the doctor. */
export interface Finding {
  readonly step: StepName;
  /** The tunnel that the step checks; undefined: the step checks the link. */
  readonly tunnel?: string;
  /** `skipped`: not checked; `detail` has the reason. */
  readonly verdict: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  /** The duration of the step, in milliseconds. */
  readonly ms?: number;
  readonly error?: ErrorReport;
}

export function failed(step: StepName, thrown: unknown, tunnel?: string): Finding {
  const error = TunnelError.from(thrown).report();
  return { step, ...(tunnel === undefined ? {} : { tunnel }), verdict: 'failed', detail: error.message, error };
}

/** All findings about one link. */
export interface LinkFindings {
  readonly host: string;
  readonly actor: string;
  /** `user@address port N`. */
  readonly where: string;
  readonly findings: readonly Finding[];
}
