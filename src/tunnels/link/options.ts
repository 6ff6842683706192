import type { Address } from '../../base/net/address.ts';
import type { ActorConfig, HostConfig } from '../../config/config.ts';
import type { TakeNote } from '../../telemetry/happening.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { CredentialStatus } from '../../telemetry/status/status.ts';
import type { JumpLink } from './jump.ts';
import type { Pacer } from './pacer.ts';
import type { Prepare } from './prepare.ts';

export interface LinkOptions {
  readonly host: HostConfig;
  readonly actor: ActorConfig;
  /** The link to the jump host; undefined for a host that is dialled directly. */
  readonly jump?: JumpLink | undefined;
}

export interface LinkDependencies {
  readonly prepare: Prepare;
  /** Shared by all links to this host. */
  readonly pacer: Pacer;
  readonly metrics: Pick<
    Metrics,
    'linkConnectAttempts' | 'linkDetectSeconds' | 'linkRecoverSeconds' | 'linkHedgedOpens' | 'rotationSeconds'
  >;
  readonly log: Logger;
  readonly note: TakeNote;
  /** The targets of the link's tunnels on the far side: they prove a new credential. */
  targets(): readonly Address[];
  /** As shown in `/status`. */
  credential(actor: ActorConfig): CredentialStatus;
  /** Uniform in [0, 1). */
  random(): number;
  /** The link's readiness, state or error changed. */
  onChange(): void;
}
