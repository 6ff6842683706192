import type { SystemdStatus } from '../../telemetry/status/status.ts';
import type { Assignments } from './message.ts';

/** How messages reach the service manager; `none`: the manager waits for messages, and the daemon cannot send any. */
export type NotifyVia = NonNullable<SystemdStatus['notify']>;

/** Sends messages to the service manager. */
export interface NotifyChannel {
  readonly via: NotifyVia;
  /** Never throws and never blocks. */
  send(assignments: Assignments): void;
  /** Settles when each message so far has arrived or has failed. */
  flush(): Promise<void>;
}
