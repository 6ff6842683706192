import { type ErrorReport, TunnelError } from '../../base/errors.ts';

/** What is looked at, in this order. `credential` and `known hosts` touch no network. */
export type StepName =
  | 'known hosts'
  | 'credential'
  | 'jump'
  | 'dns'
  | 'tcp'
  | 'banner'
  | 'host key'
  | 'authentication'
  | 'forward'
  | 'target';

/** One line of the doctor. */
export interface Finding {
  readonly step: StepName;
  /** The tunnel that it is about; undefined for the link as such. */
  readonly tunnel?: string;
  /** `skipped`: not looked at, for the reason that `detail` gives. */
  readonly verdict: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  /** How long it took, in milliseconds. */
  readonly ms?: number;
  readonly error?: ErrorReport;
}

export function failed(step: StepName, thrown: unknown, tunnel?: string): Finding {
  const error = TunnelError.from(thrown).report();
  return { step, ...(tunnel === undefined ? {} : { tunnel }), verdict: 'failed', detail: error.message, error };
}

/** Everything found out about one link. */
export interface LinkFindings {
  readonly host: string;
  readonly actor: string;
  /** `user@address port N`, and the way there. */
  readonly where: string;
  readonly findings: readonly Finding[];
}
