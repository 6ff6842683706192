import type { VerdictAnswer } from '../../retirement/drain/answer.ts';
import type { Entry } from '../../retirement/evidence/entry.ts';
import type { PlanView } from '../../retirement/plan/view.ts';
import type { Status } from '../../telemetry/status/status.ts';
import type { FleetAnswer } from '../fleet/answer.ts';
import type { LastHour } from '../page/last-hour.ts';

/** Readiness of the daemon itself, without its peers: the configuration is applied and every listener is bound. */
export interface Readiness {
  readonly applied: boolean;
  /** One sentence for each listener of this node that is not bound. */
  readonly unbound: readonly string[];
}

/** Recent events: see `Recent` of the evidence. */
export interface EventFeed {
  readonly entries: readonly Entry[];
  reachesEntry(seq: number): boolean;
  reachesTime(time: Date | undefined): boolean;
  follow(follower: (entry: Entry) => void): () => void;
}

/** The data that the routes read. Reading changes nothing. */
export interface Sources {
  snapshot(): Status;
  /** Settles when the last change of the plan file and of the evidence counts, as it does for `retire`. Bounded. */
  refreshed(): Promise<void>;
  /** Settles when past events are written to disk, or writing has failed: no event is shown before it is safe. Bounded. */
  recorded(): Promise<void>;
  /** The drain plan in force; undefined when there is none. */
  plan(): PlanView | undefined;
  /** The configured tunnels. */
  tunnelNames(): readonly string[];
  /** The retirement verdict on a tunnel, as of `now`; undefined for a name that is not configured. */
  drain(tunnel: string, now: Date): VerdictAnswer | undefined;
  /** Whether the event loop and the supervisor make progress; read at each `/livez` request. */
  alive(): boolean;
  readiness(): Readiness;
  /** The nodes behind the links, each asked at most every ten seconds. Bounded. */
  fleet(): Promise<FleetAnswer>;
  readonly events: EventFeed;
  /** Settles when the stored events are loaded, or loading has failed. Bounded. */
  opened(): Promise<void>;
  /** The last hour of the tunnels. */
  readonly lastHour: Pick<LastHour, 'all' | 'of'>;
  readonly metrics: { render(status: Status): Promise<string>; readonly contentType: string };
}
