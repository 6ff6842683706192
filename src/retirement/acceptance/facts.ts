import type { ChainProblem, Head } from '../evidence/chain.ts';
import type { HostPulse } from '../evidence/events.ts';
import type { TunnelHistory } from '../evidence/history.ts';
import type { Routes } from '../evidence/routes.ts';
import type { Period } from '../evidence/watch.ts';

/** From then on, what was found of the host was this. Times in milliseconds since the epoch, here and below. */
export interface Mark extends Pick<HostPulse, 'state' | 'code' | 'address'> {
  readonly at: number;
  /** One sentence; undefined where only a heartbeat tells. */
  readonly reason: string | undefined;
}

/** What the evidence says of the host that is to be away. Both oldest first. */
export interface HostFacts {
  readonly marks: readonly Mark[];
  /** When it was looked for. */
  readonly checks: readonly number[];
}

/** From then on these routes were in force; undefined: a daemon that did not say which. */
export interface RoutesSince {
  readonly at: number;
  readonly routes: Routes | undefined;
}

/** The plan that the configuration names. */
export type PlanFacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly path: string; readonly error: string }
  | {
      readonly kind: 'read';
      readonly path: string;
      readonly sha256: string;
      /** Workloads that are to end up on the host, and those that the register still has there. */
      readonly movingThere: readonly string[];
      readonly stillThere: readonly string[];
    };

/** Everything that the judgement depends on. */
export interface AcceptanceFacts {
  readonly now: number;
  /** Ends with the last line of the evidence that counts; undefined where there is none. */
  readonly window: Period | undefined;
  readonly offline: string;
  readonly log: { readonly problems: readonly ChainProblem[]; readonly endKnown: boolean };
  /** The line that everything before hangs on. */
  readonly head: Head;
  /** Oldest first. */
  readonly routes: readonly RoutesSince[];
  readonly historyOf: (tunnel: string) => TunnelHistory;
  readonly host: HostFacts;
  /** Of the daemon that wrote the last line; null where it does not say. */
  readonly daemonVersion: string | null;
  readonly plan: PlanFacts;
}
