import type { VerdictAnswer } from '../../retirement/drain/answer.ts';
import type { Entry } from '../../retirement/evidence/entry.ts';
import type { PlanView } from '../../retirement/plan/view.ts';
import type { Status } from '../../telemetry/status/status.ts';

/** Whether the daemon itself is ready, whatever its peers do: when the configuration is applied and nothing is unbound. */
export interface Readiness {
  readonly applied: boolean;
  /** One sentence for each listener of this node that is not bound. */
  readonly unbound: readonly string[];
}

/** What happened lately: see `Recent` of the evidence. */
export interface EventFeed {
  readonly entries: readonly Entry[];
  reachesEntry(seq: number): boolean;
  reachesTime(time: Date | undefined): boolean;
  follow(follower: (entry: Entry) => void): () => void;
}

/** What the routes read. None of it changes anything. */
export interface Sources {
  snapshot(): Status;
  /** Settles when what has happened so far is kept as evidence, or cannot be: what is told is not to be forgotten. Bounded. */
  recorded(): Promise<void>;
  /** The drain plan in force; undefined when there is none. */
  plan(): PlanView | undefined;
  /** The configured tunnels. */
  tunnelNames(): readonly string[];
  /** The retirement verdict on a tunnel, as of `now`; undefined for a name that is not configured. */
  drain(tunnel: string, now: Date): VerdictAnswer | undefined;
  /** Whether the event loop and the supervisor make progress; asked at each request of `/livez`. */
  alive(): boolean;
  readiness(): Readiness;
  readonly events: EventFeed;
  /** Settles when the events that were there at the start are read, or cannot be. Bounded. */
  opened(): Promise<void>;
  readonly metrics: { render(status: Status): Promise<string>; readonly contentType: string };
}
