import type { Logger } from '../../telemetry/log/log.ts';
import type { NotifyChannel, NotifyVia } from './channel.ts';
import { nativeChannel } from './native-channel.ts';
import { programChannel } from './program-channel.ts';

/** Reports to the service manager in the terms of sd_notify(3); without a manager, does nothing. */
export class Notifier {
  readonly #channel: NotifyChannel | undefined;
  #status: string | undefined;

  constructor(channel: NotifyChannel | undefined) {
    this.#channel = channel;
  }

  /** Undefined: no service manager waits for messages. */
  get via(): NotifyVia | undefined {
    return this.#channel?.via;
  }

  /** The configuration is applied: after the start, and after each reload. */
  ready(): void {
    this.#channel?.send({ READY: 1 });
  }

  /** From version 253, systemd accepts RELOADING as the answer to `Type=notify-reload` only with the time. */
  reloading(): void {
    // hrtime of libuv is CLOCK_MONOTONIC, the clock that systemd compares.
    this.#channel?.send({ RELOADING: 1, MONOTONIC_USEC: process.hrtime.bigint() / 1_000n });
  }

  /** Only for a real stop: systemd starts to count TimeoutStopSec. */
  stopping(): void {
    this.#channel?.send({ STOPPING: 1 });
  }

  /** The current start or stop may take `ms` milliseconds from now. */
  extendTimeout(ms: number): void {
    this.#channel?.send({ EXTEND_TIMEOUT_USEC: Math.round(ms * 1_000) });
  }

  watchdog(): void {
    this.#channel?.send({ WATCHDOG: 1 });
  }

  /** One line for `systemctl status`, sent only if it changed. */
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

/** The best available channel to the service manager of `$NOTIFY_SOCKET`; logs an error if none works. */
export function chooseChannel(notifySocket: string | undefined, log: Logger): NotifyChannel | undefined {
  if (notifySocket === undefined || notifySocket === '') return undefined;
  const native = nativeChannel();
  if (native !== undefined) return native;
  const program = programChannel(notifySocket, (err) =>
    log.error({ event: 'notify.failed', err }, 'systemd-notify failed: systemd did not get the state of this daemon'),
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
    'the start will time out: systemd waits for READY, and the daemon cannot send it. Install systemd-notify, or ' +
      'install libsystemd-dev and a compiler and reinstall sd-notify, or use Type=exec',
  );
  return NOBODY;
}
