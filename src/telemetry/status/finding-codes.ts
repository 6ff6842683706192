/** Why a tunnel may not go yet (SPEC section 6). */
export const BLOCKER_CODES = [
  'wave_open',
  'gate_closed',
  'successor_unhealthy',
  'still_open',
  'recent_use',
  'dependent_tunnel',
  'cutover_in_progress',
  'no_rollback',
] as const;
export type BlockerCode = (typeof BLOCKER_CODES)[number];

/** Why it cannot be told whether it may. */
export const UNKNOWN_CODES = ['observation_gap', 'down_in_window'] as const;
export type UnknownCode = (typeof UNKNOWN_CODES)[number];

export type FindingCode = BlockerCode | UnknownCode;
