import type { ChainProblem, Head } from '../evidence/chain.ts';
import type { HostPulse } from '../evidence/events.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import type { Routes } from '../evidence/routes.ts';
import type { Period } from '../evidence/watch.ts';

/** The state of the host from `at` on. Times here and below are in milliseconds since the epoch. */
export interface Mark extends Pick<HostPulse, 'state' | 'code' | 'address'> {
  readonly at: number;
  /** One sentence; undefined if only a heartbeat has the state. */
  readonly reason: string | undefined;
}

/** The evidence about the host that should be unreachable. Both lists oldest first. */
export interface HostFacts {
  readonly marks: readonly Mark[];
  /** Times of the looks. */
  readonly checks: readonly number[];
}

/** The routes from `at` on; undefined if the daemon did not record them. */
export interface RoutesSince {
  readonly at: number;
  readonly routes: Routes | undefined;
}

/** The node and the machine that wrote the lines from `at` on; undefined or null if not recorded. */
export interface Origin {
  readonly at: number;
  readonly node: string | undefined;
  readonly machine: string | null | undefined;
}

/** The plan that the configuration names. */
export type PlanFacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly path: string; readonly error: string }
  | {
      readonly kind: 'read';
      readonly path: string;
      readonly sha256: string;
      /** Workloads that move to the host, and workloads that the register still has there. */
      readonly movingThere: readonly string[];
      readonly stillThere: readonly string[];
    };

/** All inputs of the judgement. */
export interface AcceptanceFacts {
  readonly now: number;
  /** The node of the configuration. */
  readonly node: string;
  /** The machine that judges, if the evidence is in its own state directory; undefined if unknown. */
  readonly machine: string | undefined;
  /** Oldest first. */
  readonly origins: readonly Origin[];
  /** Ends with the last counted line of the evidence; undefined if there is none. */
  readonly window: Period | undefined;
  readonly offline: string;
  readonly log: { readonly problems: readonly ChainProblem[]; readonly endKnown: boolean };
  /** The last counted line, whose hash covers all earlier ones. */
  readonly head: Head;
  /** Oldest first. */
  readonly routes: readonly RoutesSince[];
  readonly historyOf: (tunnel: string) => TunnelHistory;
  readonly host: HostFacts;
  /** Version of the daemon that wrote the last line; null if unknown. */
  readonly daemonVersion: string | null;
  readonly plan: PlanFacts;
}
