import type { ErrorCode } from '../../src/base/errors.ts';
import type { LinkState, LinkStatus, Status, TunnelStateName } from '../../src/telemetry/status/status.ts';
import type { RequestLoop } from '../support/clients/request-loop.ts';
import { tunnelOf } from '../support/daemon/mesh.ts';
import type { Capability } from '../support/machine/capabilities.ts';
import type { Stage, StageOptions } from './stage.ts';

/** The expected `/status` during the fault. Missing fields may have any value. */
export interface Sight {
  readonly link?: LinkState;
  /** The host of the link. Default: coulombcore. */
  readonly to?: string;
  /** State of the replacement of the link's sessions; null when nothing is missing. */
  readonly replacement?: NonNullable<LinkStatus['replacement']>['state'] | null;
  /** Code of its error. */
  readonly replacementCode?: ErrorCode;
  readonly node?: Status['state'];
  /** Code of the link's last error. */
  readonly linkCode?: ErrorCode;
  /** State of the tunnel `echo`. */
  readonly tunnel?: TunnelStateName;
  readonly tunnelCode?: ErrorCode;
  /** The reason of the tunnel. */
  readonly reason?: RegExp;
  /** The hint of the link's last error. */
  readonly hint?: RegExp;
  /** Whether the last reload was applied. */
  readonly reloaded?: boolean;
}

/** One row of the fault matrix: a fault, and the expected behaviour. */
export interface FaultRow {
  readonly fault: string;
  /** Without these the row is skipped, with a notice. */
  readonly needs?: readonly Capability[];
  readonly stage?: StageOptions;
  /** The steady client: pause and timeout of its requests, in milliseconds. */
  readonly client?: { readonly everyMs: number; readonly timeoutMs: number };
  /** Causes the fault. Called while no request is running. For a second fault, wait with `atRest`. */
  inject(stage: Stage, atRest: RequestLoop['atRest']): void | Promise<void>;
  readonly during?: Sight & { readonly withinMs: number };
  /** Further checks before the fault is healed. */
  whileBroken?(stage: Stage): Promise<void>;
  heal?(stage: Stage): void | Promise<void>;
  /** Called after all checks. */
  cleanUp?(stage: Stage): void;
  /** The time until all sessions and tunnels are up, and requests are served again. */
  readonly recoversWithinMs: number;
  readonly requests: 'are all served' | 'may fail';
  /** The bound for the slowest served request. */
  readonly slowestBelowMs?: number;
  /**
   * The end of the stream that is open on the active session during the fault: complete, or cut with a reset. `is cut`:
   * without a certain reset, because a Unix socket has none and the client of a remote tunnel connects to sshd.
   */
  readonly stream: 'survives' | 'is reset' | 'is cut';
}

export function shows(sight: Sight): (status: Status) => boolean {
  return (status) => {
    const link = status.links.find(({ host }) => host === (sight.to ?? 'coulombcore'));
    if (!link) throw new Error(`there is no link to ${sight.to ?? 'coulombcore'}`);
    const tunnel = tunnelOf(status, 'echo');
    const same = (wanted: unknown, seen: unknown) => wanted === undefined || wanted === seen;
    return (
      same(sight.link, link.state) &&
      same(sight.replacement, link.replacement?.state ?? null) &&
      same(sight.replacementCode, link.replacement?.last_error?.code) &&
      same(sight.node, status.state) &&
      same(sight.linkCode, link.last_error?.code) &&
      same(sight.tunnel, tunnel.state) &&
      same(sight.tunnelCode, tunnel.last_error?.code) &&
      same(sight.reloaded, status.config.last_reload?.ok) &&
      (sight.reason === undefined || sight.reason.test(tunnel.reason ?? '')) &&
      (sight.hint === undefined || sight.hint.test(link.last_error?.hint ?? ''))
    );
  };
}
