import type { Status } from '../health/status.ts';
import type { PlanView } from '../plan/view.ts';

/** Whether the daemon itself is ready, whatever its peers do: when the configuration is applied and nothing is unbound. */
export interface Readiness {
  readonly applied: boolean;
  /** One sentence for each listener of this node that is not bound. */
  readonly unbound: readonly string[];
}

/** What the routes read. None of it changes anything. */
export interface Sources {
  snapshot(): Status;
  /** The drain plan in force; undefined when there is none. */
  plan(): PlanView | undefined;
  /** Whether the event loop and the supervisor make progress; asked at each request of `/livez`. */
  alive(): boolean;
  readiness(): Readiness;
  readonly metrics: { render(status: Status): Promise<string>; readonly contentType: string };
}
