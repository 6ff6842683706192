import type { Logger } from '../../telemetry/log/log.ts';
import type { NotifyChannel, NotifyVia } from './channel.ts';
import { nativeChannel } from './native-channel.ts';
import { programChannel } from './program-channel.ts';

/** What the service manager is told, in the words of sd_notify(3); without one, nobody listens. */
export class Notifier {
  readonly #channel: NotifyChannel | undefined;
  #status: string | undefined;

  constructor(channel: NotifyChannel | undefined) {
    this.#channel = channel;
  }

  /** Undefined: no service manager waits for word of us. */
  get via(): NotifyVia | undefined {
    return this.#channel?.via;
  }

  /** The configuration is applied: after the start, and after each reload. */
  ready(): void {
    this.#channel?.send({ READY: 1 });
  }

  /** systemd from version 253 on takes it as the answer to its own `Type=notify-reload` only with the time beside it. */
  reloading(): void {
    // libuv's hrtime is CLOCK_MONOTONIC, which is what systemd compares it with.
    this.#channel?.send({ RELOADING: 1, MONOTONIC_USEC: process.hrtime.bigint() / 1_000n });
  }

  /** Only when really ending: systemd begins to count TimeoutStopSec at once. */
  stopping(): void {
    this.#channel?.send({ STOPPING: 1 });
  }

  /** The start or stop under way may take so many milliseconds from now on. */
  extendTimeout(ms: number): void {
    this.#channel?.send({ EXTEND_TIMEOUT_USEC: Math.round(ms * 1_000) });
  }

  watchdog(): void {
    this.#channel?.send({ WATCHDOG: 1 });
  }

  /** One line for `systemctl status`, sent when it is another one than the last. */
  status(line: string): void {
    if (line === this.#status) return;
    this.#status = line;
    this.#channel?.send({ STATUS: line });
  }

  flush(): Promise<void> {
    return this.#channel?.flush() ?? Promise.resolve();
  }
}

const NOBODY: NotifyChannel = { via: 'none', send: () => {}, flush: () => Promise.resolve() };

/** The best way there is to the service manager that `$NOTIFY_SOCKET` names; loud when there is none. */
export function chooseChannel(notifySocket: string | undefined, log: Logger): NotifyChannel | undefined {
  if (notifySocket === undefined || notifySocket === '') return undefined;
  const native = nativeChannel();
  if (native !== undefined) return native;
  const program = programChannel(notifySocket, (err) =>
    log.error({ event: 'notify.failed', err }, 'systemd-notify failed: systemd does not learn how this daemon is'),
  );
  if (program !== undefined) {
    log.warn(
      { event: 'notify.fallback' },
      'the module sd-notify is missing: the daemon notifies systemd through systemd-notify, which needs NotifyAccess=all ' +
        '(drop-in 10-notify-fallback.conf)',
    );
    return program;
  }
  log.error(
    { event: 'notify.none' },
    'systemd waits for a notification that this daemon cannot send: the start will time out. Install ' +
      'libsystemd-dev and a compiler and reinstall sd-notify, or install systemd-notify, or use Type=exec',
  );
  return NOBODY;
}
