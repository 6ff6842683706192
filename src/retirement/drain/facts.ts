import type { TunnelHistory } from '../evidence/history.ts';
import type { StepFacts } from '../plan/step-facts.ts';

export interface SuccessorFacts {
  readonly target: string;
  readonly healthyForMs: number;
  /** Since when its probe has passed without a break, as far as was watched; undefined while it does not pass. */
  readonly healthySince: number | undefined;
  readonly lastError: string | undefined;
}

/** Everything a verdict depends on. Times in milliseconds since the epoch. */
export interface VerdictFacts {
  readonly now: number;
  readonly tunnel: string;
  /** The step that retires the tunnel, or in one sentence why there is none to be found. */
  readonly step: StepFacts | string;
  /** Undefined where none is configured: then nothing takes the tunnel's place. */
  readonly successor: SuccessorFacts | undefined;
  /** Of the way through SSH only. */
  readonly usage: { readonly open: number; readonly held: number; readonly clients: readonly string[] };
  readonly history: TunnelHistory;
  readonly quietForMs: number;
  /** An outage that is shorter cannot have turned a client away: it was held, and so counted. */
  readonly holdMs: number;
  /** How far behind `now` the evidence may be. */
  readonly slackMs: number;
  /** Tunnels whose host is reached through this one. */
  readonly dependents: readonly string[];
  readonly cutoverSince: number | undefined;
  /** Whether a committed cut-over leads the local port to the successor. */
  readonly cutOver: boolean;
  readonly rollback: string | undefined;
}
