/** Reasons why a tunnel cannot be retired yet, by code, with cause and remedy. */
export const BLOCKERS = {
  wave_open: {
    cause: 'An earlier wave or step of the plan is not complete, or the plan has no such step.',
    remedy: 'Complete the earlier steps and record them with `fleet-mesh plan done`.',
  },
  gate_closed: {
    cause: 'An approval that blocks the step is missing.',
    remedy: 'Record the approval of the gate with `fleet-mesh plan approve`.',
  },
  successor_unhealthy: {
    cause: 'The successor fails its probe, or has not passed the probe for `healthy_for`.',
    remedy: 'Fix the successor, then wait for `healthy_for`.',
  },
  still_open: {
    cause: 'Clients have connections open through the tunnel, or wait for the tunnel.',
    remedy: 'Move these clients to the successor, or end them.',
  },
  recent_use: {
    cause: 'A client used the tunnel within `quiet_for`.',
    remedy: 'Move the client to the successor, then wait for `quiet_for`.',
  },
  dependent_tunnel: {
    cause: 'Another tunnel reaches its host through this tunnel.',
    remedy: 'Move or retire the other tunnel first.',
  },
  cutover_in_progress: {
    cause: 'A cut-over of the tunnel is in progress.',
    remedy: 'Wait for the end of the cut-over, or run `fleet-mesh rollback`.',
  },
  not_cut_over: {
    cause: 'The tunnel has a successor, but its local port still leads through the tunnel.',
    remedy: 'Run `fleet-mesh cutover` for the tunnel.',
  },
  no_rollback: {
    cause: '`drain.rollback` is not set.',
    remedy: 'Set `drain.rollback` to the rollback procedure.',
  },
} as const;
export type BlockerCode = keyof typeof BLOCKERS;
export const BLOCKER_CODES = Object.keys(BLOCKERS) as [BlockerCode, ...BlockerCode[]];

/** Reasons why the verdict is `unknown`, by code, with cause and remedy. */
export const UNKNOWNS = {
  observation_gap: {
    cause: 'The daemon has not watched the tunnel without a break for `quiet_for`.',
    remedy: 'Keep the daemon running for `quiet_for`.',
  },
  evidence_unwritten: {
    cause: 'The evidence of the tunnel is not on the disk, in an unbroken chain of this node.',
    remedy: 'Check free space and permissions of `state_dir`, and `fleet-mesh events --verify`.',
  },
  down_in_window: {
    cause: 'The tunnel was down within `quiet_for`. Without a working tunnel, missing clients prove nothing.',
    remedy: 'Keep the tunnel up for `quiet_for`.',
  },
} as const;
export type UnknownCode = keyof typeof UNKNOWNS;
export const UNKNOWN_CODES = Object.keys(UNKNOWNS) as [UnknownCode, ...UnknownCode[]];

export type FindingCode = BlockerCode | UnknownCode;
