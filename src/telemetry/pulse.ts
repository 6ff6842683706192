import type { TunnelStateName } from './status/status.ts';

/** The report of a tunnel at each heartbeat. */
export interface Pulse {
  readonly state: TunnelStateName;
  /** Whether clients could be served. True also over a link on its fallback key, which is `degraded`. */
  readonly serving: boolean;
  /** Whether the listen address is bound. */
  readonly listening: boolean;
  /** Client connections open or held. */
  readonly open: number;
  /** Since the daemon started. */
  readonly openedTotal: number;
  readonly lastActivityAt: Date | undefined;
}
