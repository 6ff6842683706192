import type { Logger } from '../../telemetry/log/log.ts';
import type { SystemdStatus } from '../../telemetry/status/status.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import { passedFds } from './listen-fds.ts';
import { chooseChannel, Notifier } from './notifier.ts';
import { watchdogLimitMs } from './watchdog.ts';

/** The connection between this process and systemd; empty if systemd did not start the process. */
export interface Systemd {
  readonly notifier: Notifier;
  readonly sockets: InheritedSockets;
  readonly watchdogMs: number | undefined;
}

/** Variables for one process only: a child must not inherit them. */
const OURS = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'WATCHDOG_PID', 'WATCHDOG_USEC'] as const;

/** Reads the variables of systemd and removes from `env` those for this process only. */
export function connectSystemd(env: NodeJS.ProcessEnv, pid: number, log: Logger): Systemd {
  const child = log.child({ component: 'systemd' });
  const { NOTIFY_SOCKET } = env;
  const systemd = {
    notifier: new Notifier(chooseChannel(NOTIFY_SOCKET, child)),
    sockets: new InheritedSockets(passedFds(env, pid), child),
    watchdogMs: watchdogLimitMs(env, pid),
  };
  for (const name of OURS) delete env[name];
  return systemd;
}

export function systemdStatus({ notifier, sockets, watchdogMs }: Systemd): SystemdStatus {
  return { notify: notifier.via ?? null, watchdog_ms: watchdogMs ?? null, sockets: sockets.status() };
}
