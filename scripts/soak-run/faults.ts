import { sleep } from '../../src/base/async/sleep.ts';
import { signal } from '../../tests/support/machine/proc.ts';
import type { DemoFleet } from '../demo-fleet/start.ts';

export interface SoakFault {
  readonly name: string;
  /** Whether the fault ends connections, and so must strike while none is open. */
  readonly cuts: boolean;
  strike(fleet: DemoFleet): void | Promise<void>;
}

/** Shorter than the keepalive waits (15 s): nothing is cut. */
const FROZEN_MS = 3_000;

/** The faults that the fleet of the demo can bear without losing a request. */
export const SOAK_FAULTS: readonly SoakFault[] = [
  { name: 'all sessions are killed', cuts: true, strike: ({ coulombcore }) => void coulombcore.killSessions() },
  {
    name: 'a session is killed',
    cuts: true,
    strike: ({ coulombcore }) => {
      const pid = coulombcore.sessionPids().at(-1);
      if (pid !== undefined) signal(pid, 'SIGKILL');
    },
  },
  {
    name: 'a session is frozen for 3 s',
    cuts: false,
    strike: async ({ coulombcore }) => {
      const pid = coulombcore.sessionPids().at(-1);
      if (pid === undefined) return;
      signal(pid, 'SIGSTOP');
      try {
        await sleep(FROZEN_MS);
      } finally {
        signal(pid, 'SIGCONT');
      }
    },
  },
  { name: 'the daemon reloads', cuts: false, strike: ({ daemon }) => daemon.signal('SIGHUP') },
];
