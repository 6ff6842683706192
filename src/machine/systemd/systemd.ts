import type { Logger } from '../../telemetry/log/log.ts';
import type { SystemdStatus } from '../../telemetry/status/status.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import { passedFds } from './listen-fds.ts';
import { chooseChannel, Notifier } from './notifier.ts';
import { watchdogLimitMs } from './watchdog.ts';

/** What there is between this process and the systemd that started it; without one, all of it is empty. */
export interface Systemd {
  readonly notifier: Notifier;
  readonly sockets: InheritedSockets;
  readonly watchdogMs: number | undefined;
}

/** Of one process alone: a child that inherited them would take them for its own. */
const OURS = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'WATCHDOG_PID', 'WATCHDOG_USEC'] as const;

/** Reads what systemd says in the environment, and takes out of it what only this process may use. */
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
