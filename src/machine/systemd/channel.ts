import type { SystemdStatus } from '../../telemetry/status/status.ts';
import type { Assignments } from './message.ts';

/** Which way leads to the service manager; `none` where it waits for word of us and there is no way to give it. */
export type NotifyVia = NonNullable<SystemdStatus['notify']>;

/** A way to the service manager. */
export interface NotifyChannel {
  readonly via: NotifyVia;
  /** Never throws, never waits. */
  send(assignments: Assignments): void;
  /** Settles when everything sent so far is with the service manager, or has failed to get there. */
  flush(): Promise<void>;
}
