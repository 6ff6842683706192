import type { TunnelHistory } from '../evidence/history.ts';
import type { StepFacts } from '../plan/step-facts.ts';

export interface SuccessorFacts {
  readonly target: string;
  readonly healthyForMs: number;
  /** Start of the current run of passed probes; undefined while the probe fails. */
  readonly healthySince: number | undefined;
  /** The last passed probe: the time since then is not proved. Default: now. */
  readonly provedUntil?: number | undefined;
  readonly lastError: string | undefined;
}

export interface UnwrittenFacts {
  readonly since: Date | undefined;
  /** One sentence. */
  readonly message: string;
}

/** Everything a verdict depends on. Times in milliseconds since the epoch. */
export interface VerdictFacts {
  readonly now: number;
  readonly tunnel: string;
  /** The step that retires the tunnel, or one sentence: why the step cannot be found. */
  readonly step: StepFacts | string;
  /** Undefined if no successor is configured. */
  readonly successor: SuccessorFacts | undefined;
  /** Of connections through SSH only. */
  readonly usage: { readonly open: number; readonly held: number; readonly clients: readonly string[] };
  readonly history: TunnelHistory;
  /** Why the evidence is not on the disk now; undefined while it is. */
  readonly unwritten: UnwrittenFacts | undefined;
  readonly quietForMs: number;
  /** A shorter outage turned no client away: the client was held, and the hold counted as use. */
  readonly holdMs: number;
  /** The evidence may lag `now` by this much. */
  readonly slackMs: number;
  /** Tunnels that reach their host through this one. */
  readonly dependents: readonly string[];
  readonly cutoverSince: number | undefined;
  /** Whether a committed cut-over leads the local port to the successor. */
  readonly cutOver: boolean;
  readonly rollback: string | undefined;
}
