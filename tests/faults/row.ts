import type { ErrorCode } from '../../src/base/errors.ts';
import type { LinkState, Status, TunnelStateName } from '../../src/telemetry/status/status.ts';
import type { RequestLoop } from '../support/clients/request-loop.ts';
import { tunnelOf } from '../support/daemon/mesh.ts';
import type { Capability } from '../support/machine/capabilities.ts';
import type { Stage, StageOptions } from './stage.ts';

/** What `/status` must show while the fault lasts. What is not given may be anything. */
export interface Sight {
  readonly link?: LinkState;
  /** Which link that is, where there are several. Default: coulombcore. */
  readonly to?: string;
  /** Code of the link's last error. */
  readonly linkCode?: ErrorCode;
  /** State of the tunnel `echo`. */
  readonly tunnel?: TunnelStateName;
  readonly tunnelCode?: ErrorCode;
  /** The sentence that a tired operator reads at the tunnel. */
  readonly reason?: RegExp;
  /** Another sentence about it: the hint of the link's last error. */
  readonly hint?: RegExp;
  /** Whether the last reload was applied. */
  readonly reloaded?: boolean;
}

/** One row of the fault matrix: a fault, and what must hold. */
export interface FaultRow {
  readonly fault: string;
  /** Without them the row is skipped, loudly. */
  readonly needs?: readonly Capability[];
  readonly stage?: StageOptions;
  /** The steady client: how often it asks and how patient it is, in milliseconds. */
  readonly client?: { readonly everyMs: number; readonly timeoutMs: number };
  /** Strikes. Called when no request is under way; one that strikes again has to wait for the next such moment itself. */
  inject(stage: Stage, atRest: RequestLoop['atRest']): void | Promise<void>;
  readonly during?: Sight & { readonly withinMs: number };
  /** More that must hold before it is healed. */
  whileBroken?(stage: Stage): Promise<void>;
  heal?(stage: Stage): void | Promise<void>;
  /** Once all is judged. */
  cleanUp?(stage: Stage): void;
  /** Until all sessions are there, all tunnels up, and requests served again. */
  readonly recoversWithinMs: number;
  readonly requests: 'are all served' | 'may fail';
  /** Of those that are served. */
  readonly slowestBelowMs?: number;
  /**
   * The stream that is open on the active session when the fault strikes: whole to its end, or cut with a reset. Merely cut
   * where nothing of ours decides how: a Unix socket has no reset, and the client of a remote tunnel is sshd's.
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
      same(sight.linkCode, link.last_error?.code) &&
      same(sight.tunnel, tunnel.state) &&
      same(sight.tunnelCode, tunnel.last_error?.code) &&
      same(sight.reloaded, status.config.last_reload?.ok) &&
      (sight.reason === undefined || sight.reason.test(tunnel.reason ?? '')) &&
      (sight.hint === undefined || sight.hint.test(link.last_error?.hint ?? ''))
    );
  };
}
