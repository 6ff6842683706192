import type { Status } from '../health/status.ts';

/** Whether the daemon itself is ready, whatever its peers do: when the configuration is applied and nothing is unbound. */
export interface Readiness {
  readonly applied: boolean;
  /** One sentence for each listener of this node that is not bound. */
  readonly unbound: readonly string[];
}

/** What the routes read. None of it changes anything. */
export interface Sources {
  snapshot(): Status;
  /** Settles when what has happened so far is kept as evidence, or cannot be: what is told is not to be forgotten. Bounded. */
  recorded(): Promise<void>;
  /** Whether the event loop and the supervisor make progress; asked at each request of `/livez`. */
  alive(): boolean;
  readiness(): Readiness;
  readonly metrics: { render(status: Status): Promise<string>; readonly contentType: string };
}
