/** What a tired operator should know though no tunnel is down. The codes are public: `/status`, metrics, `check --json`. */
export const ADVISORY_CODES = [
  'wireguard_threshold',
  'exception_expiring',
  'exception_expired',
  'exception_unknown',
  'frozen_host',
  'static_key',
  'workstation_route',
  'workload_incomplete',
  'identity_not_last',
  'step_unknown',
  'step_done',
  'gate_bypassed',
  'plan_unusable',
  'control_unavailable',
  'evidence_unavailable',
  'certificate_without_renewal',
  'static_key_in_use',
  'static_key_removable',
  'tunnel_retired',
  'retirement_unreadable',
] as const;

export type AdvisoryCode = (typeof ADVISORY_CODES)[number];

export interface Advisory {
  readonly code: AdvisoryCode;
  /** One line; the same as long as what it says is the same, so that it can be told once. */
  readonly message: string;
}
