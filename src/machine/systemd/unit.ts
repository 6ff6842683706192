import { repeat } from '../../base/async/repeat.ts';
import type { Logger } from '../../telemetry/log/log.ts';
import type { Notifier } from './notifier.ts';
import { type Vitals, watchdogVerdict } from './watchdog.ts';

export interface UnitOptions {
  /** systemd restarts this process after this many milliseconds without a watchdog message; undefined: no watchdog. */
  readonly watchdogMs: number | undefined;
}

export interface UnitDependencies {
  readonly notifier: Notifier;
  readonly log: Logger;
  /** One line on the state of the daemon. */
  statusLine(): string;
  /** Number of the last event of the daemon, if known. */
  lastEvent(): number | undefined;
  vitals(): Vitals;
}

const STATUS_MS = 1_000;
/** Without an event, the line is made anew every so many looks: the line of a thousand tunnels takes milliseconds. */
const LOOKS_WITHOUT_EVENT = 5;
/** Watchdog messages within the limit: a late timer or a lost message must not look like a hang. */
const PETS = 3;

/** While open connections finish, the daemon asks systemd this often for this much more time. */
const EXTEND_EVERY_MS = 5_000;
const EXTENSION_MS = 15_000;

/** Reports the start, reload, state and stop of this process to systemd (sd_notify(3)). */
export class Unit {
  readonly #options: UnitOptions;
  readonly #deps: UnitDependencies;
  /** Aborts when the stop begins: systemd then ignores the watchdog. */
  readonly #ending = new AbortController();
  readonly #over = new AbortController();
  #withheld = false;
  #told: { readonly event: number | undefined; looks: number } = { event: undefined, looks: 0 };

  constructor(options: UnitOptions, deps: UnitDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The configuration is applied and the listeners are bound. An unreachable peer does not delay this. */
  started(): void {
    const { notifier } = this.#deps;
    if (notifier.via === undefined) return;
    this.#sendStatus();
    notifier.ready();
    this.#every(STATUS_MS, () => this.#lookAtStatus(), this.#over.signal);
    const { watchdogMs } = this.#options;
    if (watchdogMs !== undefined) this.#every(watchdogMs / PETS, () => this.#pet(watchdogMs), this.#ending.signal);
  }

  /** Reports ready after the task, also if it failed: a rejected reload leaves the daemon ready. */
  async reloading<T>(task: () => Promise<T>): Promise<T> {
    const { notifier } = this.#deps;
    notifier.reloading();
    try {
      return await task();
    } finally {
      if (!this.#over.signal.aborted) this.#sendStatus();
      notifier.ready();
    }
  }

  /** systemd counts TimeoutStopSec from now. Extends it, so that it does not cut `graceMs` short; a hang gets no extension. */
  stopping(graceMs: number): void {
    this.#ending.abort();
    const { notifier } = this.#deps;
    const until = performance.now() + graceMs;
    const extend = () => {
      if (performance.now() < until) notifier.extendTimeout(EXTENSION_MS);
    };
    notifier.stopping();
    extend();
    this.#every(EXTEND_EVERY_MS, extend, this.#over.signal);
  }

  /** Everything has ended; settles when systemd has all messages. */
  async stopped(): Promise<void> {
    this.#over.abort();
    await this.#deps.notifier.flush();
  }

  #every(ms: number, task: () => void, signal: AbortSignal): void {
    void repeat(
      async () => task(),
      () => ms,
      signal,
    );
  }

  #lookAtStatus(): void {
    const event = this.#deps.lastEvent();
    if (event !== this.#told.event || ++this.#told.looks >= LOOKS_WITHOUT_EVENT) this.#sendStatus();
  }

  #sendStatus(): void {
    this.#told = { event: this.#deps.lastEvent(), looks: 0 };
    this.#deps.notifier.status(this.#deps.statusLine());
  }

  #pet(limitMs: number): void {
    const verdict = watchdogVerdict(this.#deps.vitals(), limitMs);
    if (verdict.pet) this.#deps.notifier.watchdog();
    else if (!this.#withheld) {
      this.#deps.log.fatal(
        { event: 'watchdog.withheld', reason: verdict.reason },
        `${verdict.reason}: systemd restarts this daemon within ${Math.round(limitMs / 1_000)} s unless it recovers`,
      );
    }
    this.#withheld = !verdict.pet;
  }
}
