import type { TunnelStateName } from './status/status.ts';

/** What a tunnel tells of itself at each heartbeat. */
export interface Pulse {
  readonly state: TunnelStateName;
  /** Whether clients were served: also over a link that uses the fallback of its credential, which is `degraded`. */
  readonly serving: boolean;
  /** Client connections open or held. */
  readonly open: number;
  /** Since the daemon started. */
  readonly openedTotal: number;
  readonly lastActivityAt: Date | undefined;
}
